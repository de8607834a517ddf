{
  "Roles": [
    { "Name": "web", "DockerImage": "hello/web:<hubtag>", "Replicas": 1 }
  ]
}
