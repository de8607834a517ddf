{
    "Name": "orders",
    "Roles": [
        {
            "Name": "orders",
            "DockerImage": "acme/orders:web_<hubtag>",
            "Replicas": 2,
            "ExtraConfig": "{\"Env\":{\"QUEUE\":\"redis\"}}",
            "AgentPlatform": 0
        },
        {
            "Name": "redis",
            "DockerImage": "redis:latest",
            "Replicas": 1
        }
    ],
    "LBConfigurations": [],
    "Volumes": ""
}
