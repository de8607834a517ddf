[
	{
		"EnvName": "DEV",
		"LocalFleet": "false",
		"WorkFlow": [
			{
				"Name": "PRE_DEPLOY_BUILD",
				"PhaseType": 4,
				"BuildParams": "PHASE=PRE_DEPLOY_BUILD, REPO=acme/orders",
				"Order": 1,
				"Parallelism": 1,
				"ContinerImage": null
			},
			{
				"Name": "DEPLOY",
				"PhaseType": 1,
				"Order": 2,
				"Parallelism": 1
			},
			{
				"Name": "POST_DEPLOY_VERIFICATION",
				"PhaseType": 4,
				"BuildParams": "PHASE=POST_DEPLOY_VERIFICATION",
				"Order": 3,
				"Parallelism": 4,
				"ContinerImage": null
			}
		]
	},
	{
		"EnvName": "default",
		"LocalFleet": "true",
		"WorkFlow": [
			{ "Name": "DEPLOY", "PhaseType": 1, "Order": 1, "Parallelism": 1 },
		]
	}
]
