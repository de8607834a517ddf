{
	"Roles": [{
		"Name": "web",
		"DockerImage": "acme/anyservice:web_<hubtag>",
		"Replicas": 1,
		"ExtraConfig": "\"FOO=BAR\"",
		"LBConfigurations": [{ "Name": "tcp|80", "Port": "80", "VirtualIPAddress": null }]
	}, {
		"Name": "db",
		"DockerImage": "redis:latest"
	}],
	"State": null
}
