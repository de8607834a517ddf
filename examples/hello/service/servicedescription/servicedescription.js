{
  // What is deployed: `<hubtag>` stands for the commit.
  "Roles": [
    { "Name": "hello", "DockerImage": "example/hello:<hubtag>", "Replicas": 2 },
    { "Name": "cache", "DockerImage": "redis:7" }
  ]
}
