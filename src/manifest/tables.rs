//! Every table and key of a manifest, declared once for the reader and for the schema.
//!
//! What a key says about itself here is what editors show, so it is written for the people who write manifests.

use serde_json::{Value as Json, json};

use crate::domain::{CommitSha, OnFailure, Placement, Strategy};

use super::model::FleetKind;
use super::reader::{At, Definitions, Key, Keys, Raw, Reader, Section, Value, describe, keys};
use super::resources::{Cores, Memory};
use super::source::Span;
use super::values::{Count, Depth, Include, Script, Seconds, Text, Version};
use super::variables::Pairs;
use super::words::{Backend, Changes, CheckoutKind, LaunchType, PhaseType, PlatformKind};
use super::{commit::Branch, commit::Folder, image::Image};

keys! {
    /// What should run where: tenants, the repositories linked to them, and the phases that a commit goes through.
    FileKeys, manifest, "a manifest", json!({}) => {
        /// The version of this format. Required in the root file.
        version: Version, "version";
        /// Further `.toml` files, as globs relative to the directory of this one; none of them hidden.
        include: Include, "include";
        /// Where the record of what happened is kept. Only in the root file.
        state: StateKeys<'i>, "state";
        /// Where packs of commits, logs and artifacts are kept. Only in the root file.
        blobs: BlobsKeys<'i>, "blobs";
        /// Where things are kept that can be made again. Only in the root file.
        cache: CacheKeys<'i>, "cache";
        /// Git repositories, by the names that links use.
        repos: Section<'i, RepoKeys<'i>>, "repos";
        /// Workflows, by the names that links use.
        workflows: Section<'i, WorkflowKeys<'i>>, "workflows";
        /// Where phases can run, by the names that tenants use.
        fleets: Section<'i, FleetKeys<'i>>, "fleets";
        /// What links of several tenants have in common, by the names of the links.
        templates: Section<'i, LinkKeys<'i>>, "templates";
        /// Isolated environments. The links of one tenant may be spread over several files.
        tenants: Section<'i, TenantKeys<'i>>, "tenants";
        /// Renamed tenants and links: their records continue under the new names.
        moved: Vec<MovedKeys<'i>>, "moved";
    }

    /// A tenant or a link that was renamed.
    MovedKeys, moved, "a rename", json!({}) => {
        /// The old name: a tenant, or a link like `dev/shop`. The manifest no longer has it.
        from: Text<'i>, "from", required;
        /// The new name, of the same kind.
        to: Text<'i>, "to", required;
    }

    /// Where the record of what happened is kept.
    StateKeys, state, "`[state]`", json!({}) => {
        /// A file on this machine, or a table in AWS.
        backend: Backend, "backend", default "sqlite";
        /// The file of the sqlite backend, relative to the root file.
        path: Text<'i>, "path", default ".katkit/state.db";
        /// How long the sqlite backend waits for another process that has the file locked.
        patience: Seconds, "patience", default "10s";
        /// The table of the dynamodb backend.
        table: Text<'i>, "table";
        /// The table's region; left out: that of the environment.
        region: Text<'i>, "region";
        /// Another endpoint than that of AWS.
        endpoint: Text<'i>, "endpoint";
    }

    /// Where packs of commits, logs and artifacts are kept.
    BlobsKeys, blobs, "`[blobs]`", json!({}) => {
        /// A directory, relative to the root file, or `s3://bucket/prefix`.
        url: Text<'i>, "url", default ".katkit/blobs";
        /// The bucket's region; left out: that of the environment.
        region: Text<'i>, "region";
        /// Another endpoint than that of AWS.
        endpoint: Text<'i>, "endpoint";
    }

    /// Where things are kept that can be made again, such as mirrors of repositories.
    CacheKeys, cache, "`[cache]`", json!({}) => {
        /// A directory, relative to the root file; left out: `katkit` in the user's cache directory.
        path: Text<'i>, "path";
    }

    /// A git repository.
    RepoKeys, repo, "a repository", json!({}) => {
        /// Anything that `git clone` takes: `https://…`, `git@host:path`, `ssh://…`, or a path relative to this file.
        url: Text<'i>, "url", required;
        /// The home branch.
        branch: Branch<'i>, "branch", default "main";
    }

    /// The ordered phases that a commit goes through.
    WorkflowKeys, workflow, "a workflow", json!({}) => {
        /// At least one phase; at most one of them is the deployment.
        phases: Vec<PhaseKeys<'i>>, "phases", required;
        /// What happens to what was deployed when a later phase fails: it stays, or the last verified commit is deployed again.
        on_failure: OnFailure, "on-failure", default "hold";
    }

    /// One phase of a workflow.
    PhaseKeys, phase, "a phase", json!({}) => {
        /// Unique in its workflow.
        name: Text<'i>, "name", required;
        /// Phases run in ascending order; those of the same order run at the same time.
        order: i64, "order", required;
        /// Runs code, or edits the service description and rolls the services.
        kind: PhaseType, "kind", default "execution";
        /// Builder image with its tag; left out: the fleet's.
        image: Image<'i>, "image";
        /// Variables for this phase alone; they win over those of the link and of the tenant.
        variables: Pairs<'i>, "variables";
        /// A shell command to run in the folder; left out: its `ci.sh`.
        run: Script<'i>, "run";
        /// How long it may take, like `90s`, `20m` or `1h30m`; left out: `1h`, and `30m` for a deployment.
        timeout: Seconds, "timeout";
        /// Number of replicas, each with its own `REPLICA_ID`; the phase succeeds when all do.
        parallelism: Count<1, 1000>, "parallelism", default 1;
        /// How often it is tried again, without being asked, when its code failed.
        retries: Count<0, 100>, "retries", default 0;
        /// Globs of the files to keep, relative to the folder.
        artifacts: Vec<At<Text<'i>>>, "artifacts";
        /// From a pack that katkit made, or by `git clone` inside the phase.
        checkout: CheckoutKind, "checkout", default "pack";
        /// How many commits of history the phase sees, or `"full"`.
        depth: Depth, "depth", default 1;
        /// In the tenant's own fleet, or in its build fleet.
        fleet: Placement, "fleet", default "tenant";
        /// Processor time, in cores, like `1.5`; left out: the fleet's.
        cpu: Cores, "cpu";
        /// Memory, like `512MiB` or `2GiB`, beyond which the phase is ended; left out: the fleet's.
        memory: Memory, "memory";
        /// How a deployment rolls the services: one after the other in the file's order, or all together.
        strategy: Strategy, "strategy", default "ordered";
    }

    /// Where phases run.
    FleetKeys, fleet, "a fleet", json!({}) => {
        /// Local processes, containers, or ECS tasks.
        kind: FleetKind, "kind", required;
        /// Mount the host's docker socket into phases.
        docker_socket: bool, "docker-socket", default false;
        /// Absolute paths inside phases that are kept between the phases of one tenant on the same host.
        caches: Vec<At<Text<'i>>>, "caches";
        /// Builder image, with its tag, of phases that name none.
        image: Image<'i>, "image";
        /// Processor time, in cores, of phases that name none.
        cpu: Cores, "cpu";
        /// Memory of phases that name none, like `2GiB`.
        memory: Memory, "memory";
        /// The docker engine, `unix:///path` or `tcp://host:port`; left out: `DOCKER_HOST`, or the local socket.
        host: Text<'i>, "host";
        /// The docker network that phases are in.
        network: Text<'i>, "network";
        /// A static build of katkit for the engine's processor, where that is another one than this machine's.
        agent: Text<'i>, "agent";
        /// Variables of every container: of the agent in it, and of the phase's code.
        env: Pairs<'i>, "env";
        /// Name or ARN of the ECS cluster.
        cluster: Text<'i>, "cluster";
        /// The cluster's region; left out: that of the environment.
        region: Text<'i>, "region";
        /// Another endpoint of ECS than that of AWS.
        endpoint: Text<'i>, "endpoint";
        /// Whether ECS tasks run on Fargate or on instances of the cluster.
        launch_type: LaunchType, "launch-type", default "fargate";
        /// Capacity providers of the cluster, in place of a launch type.
        capacity_providers: Vec<At<Text<'i>>>, "capacity-providers";
        /// The subnets of ECS tasks; Fargate needs at least one.
        subnets: Vec<At<Text<'i>>>, "subnets";
        /// The security groups of ECS tasks; left out: that of the network.
        security_groups: Vec<At<Text<'i>>>, "security-groups";
        /// Whether ECS tasks get a public address, which Fargate needs in subnets without another way out.
        assign_public_ip: bool, "assign-public-ip", default false;
        /// The ARN of the role of ECS tasks, in whose name the agent reaches the blob store.
        task_role: Text<'i>, "task-role";
        /// The ARN of the role in whose name ECS pulls images, writes the log group and fetches secrets.
        execution_role: Text<'i>, "execution-role";
        /// The log group in `CloudWatch` of what the agent itself prints; phases' logs are in the blob store.
        log_group: Text<'i>, "log-group";
    }

    /// An isolated environment.
    TenantKeys, tenant, "a tenant", json!({}) => {
        /// Its human name, which phases see as `ENV`; left out: the tenant's name in uppercase.
        environment: Text<'i>, "environment";
        /// Where its phases run; may be left out where there is no choice.
        fleet: Text<'i>, "fleet";
        /// Where phases with `fleet = "build"` run; left out: in `fleet` as well.
        build_fleet: Text<'i>, "build-fleet";
        /// Where its services live; left out: as files under `.katkit/platform`.
        platform: PlatformKeys<'i>, "platform";
        /// Variables for every phase.
        variables: Pairs<'i>, "variables";
        /// Secret variables for every phase, by where their values are: `env:NAME`, `file:PATH`,
        /// `arn:aws:secretsmanager:…` or `arn:aws:ssm:…`.
        secrets: Pairs<'i>, "secrets";
        /// The tenants that one `apply` works on before this one.
        after: Vec<At<Text<'i>>>, "after";
        /// Ask for the tenant's name before `apply` changes anything there, and stop deploying there after the first
        /// deployment that failed.
        protected: bool, "protected", default false;
        /// Links made from `[templates]`, by their names; `links` overrides keys of them.
        used: Vec<At<Text<'i>>>, "use";
        /// What is linked to it.
        links: Section<'i, LinkKeys<'i>>, "links";
    }

    /// Where deployed services live.
    PlatformKeys, platform, "a platform", json!({}) => {
        /// Files, containers or ECS services.
        kind: PlatformKind, "kind", required;
        /// The directory of the file platform, relative to the root file.
        path: Text<'i>, "path";
        /// Name or ARN of the cluster of the ecs platform.
        cluster: Text<'i>, "cluster";
        /// The engine of the docker platform, `unix:///path` or `tcp://host:port`; left out: `DOCKER_HOST`, or the local
        /// socket.
        host: Text<'i>, "host";
        /// The network of the docker platform in which containers are created that do not exist yet.
        network: Text<'i>, "network";
        /// How long a container without a health check must run before the docker platform takes it for healthy.
        settle: Seconds, "settle";
        /// The cluster's region; left out: that of the environment.
        region: Text<'i>, "region";
        /// Another endpoint of ECS than that of AWS.
        endpoint: Text<'i>, "endpoint";
        /// How the ecs platform's services are named after roles, like `{tenant}-{role}` or `{link}-{role}`.
        service_name: Text<'i>, "service-name", default "{role}";
    }

    /// A repository, and a folder in it, linked to a tenant.
    LinkKeys, link, "a link", json!({ "not": { "required": ["sha", "branch"] } }) => {
        /// Which repository, by its name under `[repos]`. Required, here or in the template.
        repo: Text<'i>, "repo";
        /// The folder of the service in the repository; left out: its root.
        folder: Folder, "folder", default "";
        /// Which workflow, by its name under `[workflows]`; left out: the repository's `katkitconfig.js`.
        workflow: Text<'i>, "workflow";
        /// The commit that should run: all forty digits. One of `sha` and `branch` is required, here or in the template.
        sha: CommitSha, "sha";
        /// The branch whose tip should run.
        branch: Branch<'i>, "branch";
        /// Folders and files, from the root of the repository, that matter to the link beside its folder: a commit of the branch that
        /// changes none of it is contained in what is live. Left out: every commit goes through the workflow.
        watch: Vec<At<Folder>>, "watch";
        /// Which commits go through the workflow: those that change what is watched, or any.
        changes: Changes, "changes", default "watched";
        /// Phases of the workflow that are left out.
        skip: Vec<At<Text<'i>>>, "skip";
        /// Variables for the link's phases; they win over the tenant's.
        variables: Pairs<'i>, "variables";
    }
}
