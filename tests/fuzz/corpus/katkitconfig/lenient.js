// data
[ { EnvName: 'DEV', LocalFleet: false, /* all */ WorkFlow: [ { Name: "a", PhaseType: "4", Order: "-1", ContainerPlatform: "5", }, ], }, ]
