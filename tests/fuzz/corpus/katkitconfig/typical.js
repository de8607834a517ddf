[	
	{
		"EnvName": "default",
		"LocalFleet": "true",
		"WorkFlow" : [
			{ "Name":"BUILD", "PhaseType":4, "BuildParams":"PHASE=BUILD, FLAGS=-a=b", "Order":0, "Parallelism":1, "ContainerImage":"acme/zbuilder:v7", "Volumes":"/home:/cache" },
			{ "Name":"DEPLOY", "PhaseType":1, "BuildParams":"PHASE=DEPLOY", "Order":1, "ContainerImage":null },
			{ "Name":"VERIFY", "PhaseType":4, "Order":2, "Parallelism":"4", "ContinerImage":"acme/test:1" }
		]
	}
]
