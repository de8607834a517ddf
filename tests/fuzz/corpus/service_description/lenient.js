{ // <hubtag>
 Roles: [ { Name: 'a', DockerImage: 'host:5000/a/b:<hubtag>-<hubtag>', }, ], /* <hubtag> */ }