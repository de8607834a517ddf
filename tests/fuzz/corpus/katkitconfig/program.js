module.exports = [ { EnvName: `dev` } ];
