//! Every table and key of a manifest, declared once for the reader and for the schema.
//!
//! Editors show these doc comments, so they are written for users who write manifests.

use serde_json::{Value as Json, json};

use crate::domain::{Assurance, CommitSha, OnFailure, Placement, Strategy};
use crate::pipeline::{StageSource, Take};
use crate::policy::{DailyLimit, Gated, Part, Zone};

use super::civil::{Clock, Days, Edge};
use super::model::FleetKind;
use super::reader::{Definitions, Key, Keys, Located, Raw, Reader, Section, Value, describe, keys};
use super::resources::{Cores, Memory};
use super::root_tables::{AccessKeys, AuditKeys, BlobsKeys, CacheKeys, PersonKeys, StateKeys};
use super::source::Span;
use super::values::{Count, Depth, Include, Script, Seconds, Text, Version};
use super::variables::VariablePairs;
use super::words::{Ancestry, Changes, CheckoutKind, DigestRule, LaunchType, PhaseType, PlatformKind};
use super::{commit::Branch, commit::Folder, image::Image};

keys! {
    /// What should run where: tenants, the repositories linked to them, and the phases that a commit runs through.
    FileKeys, manifest, "a manifest", json!({}) => {
        /// The version of this format. Required in the root file.
        version: Version, "version";
        /// Further `.toml` files, as globs relative to the directory of this file. Hidden files cannot be included.
        include: Include, "include";
        /// The store of the record of runs and deployments. Only in the root file.
        state: StateKeys<'i>, "state";
        /// The store of commit packs, logs and artifacts. Only in the root file.
        blobs: BlobsKeys<'i>, "blobs";
        /// The directory for data that can be rebuilt. Only in the root file.
        cache: CacheKeys<'i>, "cache";
        /// Git repositories, by the names that links use.
        repos: Section<'i, RepoKeys<'i>>, "repos";
        /// Workflows, by the names that links use.
        workflows: Section<'i, WorkflowKeys<'i>>, "workflows";
        /// Where phases can run, by the names that tenants use.
        fleets: Section<'i, FleetKeys<'i>>, "fleets";
        /// When deployments are frozen and when they are allowed, by the names that tenants use.
        policies: Section<'i, PolicyKeys<'i>>, "policies";
        /// Hours that count, by the names that policies use.
        calendars: Section<'i, CalendarKeys<'i>>, "calendars";
        /// Who people are, by the names that groups and policies use. Only in the root file.
        people: Section<'i, PersonKeys<'i>>, "people";
        /// Which groups people belong to. Only in the root file.
        access: AccessKeys<'i>, "access";
        /// What signs checkpoints of the record. Only in the root file.
        audit: AuditKeys<'i>, "audit";
        /// How commits travel from stage to stage, by the names that links use.
        pipelines: Section<'i, PipelineKeys<'i>>, "pipelines";
        /// Keys that links of several tenants share, by the names of the links.
        templates: Section<'i, LinkKeys<'i>>, "templates";
        /// Isolated environments. The links of one tenant may be spread over several files.
        tenants: Section<'i, TenantKeys<'i>>, "tenants";
        /// Renamed tenants and links: their records continue under the new names.
        moved: Vec<MovedKeys<'i>>, "moved";
    }

    /// A renamed tenant or link.
    MovedKeys, moved, "a rename", json!({}) => {
        /// The old name: a tenant, or a link like `dev/shop`. The manifest no longer has it.
        from: Text<'i>, "from", required;
        /// The new name, of the same kind.
        to: Text<'i>, "to", required;
    }

    /// A git repository.
    RepoKeys, repo, "a repository", json!({}) => {
        /// Anything that `git clone` accepts: `https://…`, `git@host:path`, `ssh://…`, or a path relative to this file.
        url: Text<'i>, "url", required;
        /// The home branch.
        branch: Branch<'i>, "branch", default "main";
    }

    /// The ordered phases that a commit runs through.
    WorkflowKeys, workflow, "a workflow", json!({}) => {
        /// At least one phase; at most one of them is the deployment.
        phases: Vec<PhaseKeys<'i>>, "phases", required;
        /// What to do if a phase fails after the deployment: `hold` leaves the commit deployed, `rollback` deploys the
        /// last verified commit.
        on_failure: OnFailure, "on-failure", default "hold";
    }

    /// One phase of a workflow.
    PhaseKeys, phase, "a phase", json!({}) => {
        /// Unique in its workflow.
        name: Text<'i>, "name", required;
        /// Phases run in ascending order; phases of the same order run at the same time.
        order: i64, "order", required;
        /// `execution`: runs code. `deployment`: edits the service description and rolls the services.
        kind: PhaseType, "kind", default "execution";
        /// Builder image with its tag; default: the fleet's.
        image: Image<'i>, "image";
        /// Variables for this phase only; they override those of the link and the tenant.
        variables: VariablePairs<'i>, "variables";
        /// A shell command to run in the folder; default: its `ci.sh`.
        run: Script<'i>, "run";
        /// How long it may take, like `90s`, `20m` or `1h30m`; default: `1h`, and `30m` for a deployment.
        timeout: Seconds, "timeout";
        /// Number of replicas, each with its own `REPLICA_ID`; the phase succeeds if all of them do.
        parallelism: Count<1, 1000>, "parallelism", default 1;
        /// How many times a failed phase is retried automatically.
        retries: Count<0, 100>, "retries", default 0;
        /// Globs of the files to keep, relative to the folder.
        artifacts: Vec<Located<Text<'i>>>, "artifacts";
        /// Phases with a lower `order` whose artifacts the phase gets, in `$KATKIT_INPUTS`.
        inputs: Vec<Located<Text<'i>>>, "inputs";
        /// How the phase gets its code: `pack` from a pack made by katkit, `clone` with `git clone` inside the phase.
        checkout: CheckoutKind, "checkout", default "pack";
        /// How many commits of history the phase sees, or `"full"`.
        depth: Depth, "depth", default 1;
        /// Where it runs: `tenant` in the tenant's own fleet, `build` in its build fleet.
        fleet: Placement, "fleet", default "tenant";
        /// Processor time, in cores, like `1.5`; default: the fleet's.
        cpu: Cores, "cpu";
        /// Memory limit, like `512MiB` or `2GiB`; a phase that exceeds it is killed. Default: the fleet's.
        memory: Memory, "memory";
        /// How a deployment rolls the services: `ordered` one by one in the order of the file, `together` all at once.
        strategy: Strategy, "strategy", default "ordered";
    }

    /// Where phases run.
    FleetKeys, fleet, "a fleet", json!({}) => {
        /// Local processes, containers, or ECS tasks.
        kind: FleetKind, "kind", required;
        /// Mount the host's docker socket into phases.
        docker_socket: bool, "docker-socket", default false;
        /// Absolute paths inside phases to keep between the phases of one tenant on the same host.
        caches: Vec<Located<Text<'i>>>, "caches";
        /// Default builder image of phases, with its tag.
        image: Image<'i>, "image";
        /// Default processor time of phases, in cores.
        cpu: Cores, "cpu";
        /// Default memory of phases, like `2GiB`.
        memory: Memory, "memory";
        /// The docker engine, `unix:///path` or `tcp://host:port`; default: `DOCKER_HOST`, or the local socket.
        host: Text<'i>, "host";
        /// The docker network of the phases.
        network: Text<'i>, "network";
        /// A static build of katkit for the engine's processor, if it differs from this machine's.
        agent: Text<'i>, "agent";
        /// Variables of every container, for the agent and for the phase's code.
        env: VariablePairs<'i>, "env";
        /// Name or ARN of the ECS cluster.
        cluster: Text<'i>, "cluster";
        /// The cluster's region; default: from the environment.
        region: Text<'i>, "region";
        /// An ECS endpoint to use instead of AWS's.
        endpoint: Text<'i>, "endpoint";
        /// Whether ECS tasks run on Fargate or on instances of the cluster.
        launch_type: LaunchType, "launch-type", default "fargate";
        /// Capacity providers of the cluster, instead of a launch type.
        capacity_providers: Vec<Located<Text<'i>>>, "capacity-providers";
        /// The subnets of ECS tasks; Fargate needs at least one.
        subnets: Vec<Located<Text<'i>>>, "subnets";
        /// The security groups of ECS tasks; default: the network's default group.
        security_groups: Vec<Located<Text<'i>>>, "security-groups";
        /// Whether ECS tasks get a public address. Fargate needs one in subnets without another route to the internet.
        assign_public_ip: bool, "assign-public-ip", default false;
        /// The ARN of the role of ECS tasks, with which the agent accesses the blob store.
        task_role: Text<'i>, "task-role";
        /// The ARN of the role with which ECS pulls images, writes the log group and fetches secrets.
        execution_role: Text<'i>, "execution-role";
        /// The `CloudWatch` log group for the agent's own output; the logs of phases are in the blob store.
        log_group: Text<'i>, "log-group";
    }

    /// The conditions that deployments must meet.
    PolicyKeys, policy, "a policy", json!({}) => {
        /// Windows in which nothing is deployed. They take precedence over `allow`.
        freeze: Vec<Located<FreezeKeys<'i>>>, "freeze";
        /// Windows in which deployments are allowed. Default: at any time.
        allow: Vec<Located<WindowKeys<'i>>>, "allow";
        /// How many deployments of each link of the tenant may begin on one day.
        max_per_day: DailyLimitKeys<'i>, "max-per-day";
        /// How long a commit must have been live and verified in the stages before, like `2h`: it, or a later commit that
        /// was verified there. Only for links that follow a pipeline.
        soak: Seconds, "soak";
        /// The calendar of `[calendars]` whose hours alone count for `soak`. Default: every hour.
        soak_hours: Text<'i>, "soak-hours";
        /// Where a commit must be: on the `branch` of its repository, and not older than what is live. Default: anywhere.
        ancestry: Ancestry, "ancestry";
        /// How images are deployed: `pinned`, by the digest that an earlier stage verified or the run recorded; refused if
        /// the tag has moved since. Default: by tag.
        digest: DigestRule, "digest";
        /// The approvals that a commit needs before it runs.
        approvals: Vec<Located<ApprovalKeys<'i>>>, "approvals";
        /// The review that every commit needs which a run adds to what is live. `katkit evidence` hands it in.
        review: ReviewKeys<'i>, "review";
        /// Whether the stages before take no new commit while one is soaking there, so that one always soaks to the end.
        train: bool, "train", default false;
    }

    /// Hours that count, such as working hours.
    CalendarKeys, calendar, "a calendar", json!({}) => {
        /// Days of the week, such as `"mon-fri"`. Default: every day.
        days: Vec<Located<Days<'i>>>, "days";
        /// When the hours begin on each of the days.
        from: Clock, "from", required;
        /// When they end: on the same day or, if that is earlier than `from`, on the next.
        to: Clock, "to", required;
        /// The time zone of the hours, by its IANA name.
        zone: Zone, "zone", required;
    }

    /// How many deployments of each link of the tenant may begin on one day.
    DailyLimitKeys, daily_limit, "a daily limit", json!({}) => {
        /// How many. Neither rollbacks nor repairs count.
        count: Count<1, { DailyLimit::MOST }>, "count", required;
        /// The time zone whose days count, by its IANA name.
        zone: Zone, "zone", required;
        /// The reason, shown wherever the limit holds something.
        why: Text<'i>, "why";
    }

    /// The review that a commit needs.
    ReviewKeys, review, "a review", json!({}) => {
        /// How many people must have approved its pull request.
        approvals: Count<1, 50>, "approvals";
        /// The checks that must have passed, by their names at the code host.
        checks: Vec<Located<Text<'i>>>, "checks";
    }

    /// The approvals that a commit needs by one rule.
    ApprovalKeys, approval, "an approval rule", json!({}) => {
        /// Who may approve: groups of `[access.groups]` and people.
        from: Vec<Located<Text<'i>>>, "from", required;
        /// How many of them must.
        count: Count<1, 100>, "count", default 1;
        /// Whose approvals do not count, since they took part in the changes: `author`, `committer`, `merger`, `initiator`.
        independent_of: Vec<Part>, "independent-of";
        /// How long an approval lasts. Default: a week.
        expires: Seconds, "expires";
        /// What waits for the approvals: the `run` with its phases, or only the `deployment`.
        gates: Gated, "gates", default "run";
        /// How an approver's identity must have been verified: `asserted` (not at all), `aws` or `oidc`.
        assurance: Assurance, "assurance", default "asserted";
    }

    /// A window in which deployments are allowed: `days`, `from` and `to`, or `start` and `end`.
    WindowKeys, window, "a window", json!({}) => {
        /// Days of the week, such as `"mon-thu"`. Default: every day.
        days: Vec<Located<Days<'i>>>, "days";
        /// When it opens on each of the days.
        from: Clock, "from";
        /// When it closes: on the same day or, if that is earlier than `from`, on the next.
        to: Clock, "to";
        /// When it opens: every week (`"fri 16:00"`) or once (`"2026-12-20 00:00"`).
        start: Edge, "start";
        /// When it closes: every week or once, like `start`.
        end: Edge, "end";
        /// The time zone of its times, by its IANA name.
        zone: Zone, "zone", required;
    }

    /// A window in which nothing is deployed: `days`, `from` and `to`, or `start` and `end`.
    FreezeKeys, freeze, "a freeze", json!({}) => {
        /// Days of the week, such as `"mon-thu"`. Default: every day.
        days: Vec<Located<Days<'i>>>, "days";
        /// When it begins on each of the days.
        from: Clock, "from";
        /// When it ends: on the same day or, if that is not later than `from`, on the next.
        to: Clock, "to";
        /// When it begins: every week (`"fri 16:00"`) or once (`"2026-12-20 00:00"`).
        start: Edge, "start";
        /// When it ends: every week or once, like `start`.
        end: Edge, "end";
        /// The time zone of its times, by its IANA name.
        zone: Zone, "zone", required;
        /// The reason, shown wherever the freeze holds something.
        why: Text<'i>, "why";
        /// Whether requested rollbacks pass.
        rollback: bool, "rollback", default true;
    }

    /// The stages that the commits of a repository travel through.
    PipelineKeys, pipeline, "a pipeline", json!({}) => {
        /// The repository's name under `[repos]`. Its home branch brings the commits.
        repo: Text<'i>, "repo", required;
        /// The stages, each with links of the repository. No link is in two stages.
        stages: Vec<Located<StageKeys<'i>>>, "stages", required;
    }

    /// A stage of a pipeline: its `links`, or its `waves` of links.
    StageKeys, stage, "a stage", json!({ "oneOf": [{ "required": ["links"] }, { "required": ["waves"] }] }) => {
        /// Unique in its pipeline.
        name: Text<'i>, "name", required;
        /// The links of the stage, which may run a commit at the same time. Each names the pipeline as well.
        links: Vec<Located<Text<'i>>>, "links";
        /// The links of the stage in waves: a wave runs a commit once all links of the wave before it have verified it.
        waves: Vec<Located<Vec<Located<Text<'i>>>>>, "waves";
        /// The stages that verify a commit first; default: the stage before it. With none (`[]`, and the first stage by
        /// default), the stage runs the commits of the home branch.
        after: Vec<Located<Text<'i>>>, "after";
        /// How many links of each stage in `after` must have verified a commit; default: all of them.
        need: Count<1, 1000>, "need";
        /// Which commit the stage runs if there are several: the `newest`, or `each` of them in turn.
        take: Take, "take", default "newest";
        /// Where a stage without `after` takes its commits from: the `branch`, or `pull-requests`, whose merges it tests
        /// before they land (`katkit test`).
        source: StageSource, "source", default "branch";
    }

    /// A commit that a link of a pipeline stays at.
    PinKeys, pin, "a pin", json!({}) => {
        /// The commit: all forty digits. It must have passed the stages before, and must not be older than what is live.
        sha: CommitSha, "sha", required;
        /// The reason, shown wherever the pin matters.
        why: Text<'i>, "why", required;
    }

    /// An isolated environment.
    TenantKeys, tenant, "a tenant", json!({}) => {
        /// Its display name, which phases see as `ENV`; default: the tenant's name in uppercase.
        environment: Text<'i>, "environment";
        /// Where its phases run; optional if there is at most one fleet.
        fleet: Text<'i>, "fleet";
        /// Where phases with `fleet = "build"` run; default: in `fleet`.
        build_fleet: Text<'i>, "build-fleet";
        /// Where its services run; default: as files under `.katkit/platform`.
        platform: PlatformKeys<'i>, "platform";
        /// Variables for every phase.
        variables: VariablePairs<'i>, "variables";
        /// Secret variables for every phase, each with the source of its value: `env:NAME`, `file:PATH`,
        /// `arn:aws:secretsmanager:…` or `arn:aws:ssm:…`.
        secrets: VariablePairs<'i>, "secrets";
        /// The tenants that one `apply` works on before this one.
        after: Vec<Located<Text<'i>>>, "after";
        /// Ask for the tenant's name before `apply` changes anything in it, and stop deploying to it after the first
        /// failed deployment.
        protected: bool, "protected", default false;
        /// The policy's name under `[policies]`; default: none, so that deployments wait for nothing.
        policy: Text<'i>, "policy";
        /// Links made from `[templates]`, by their names; `links` can override their keys.
        used: Vec<Located<Text<'i>>>, "use";
        /// The links of this tenant, by their names.
        links: Section<'i, LinkKeys<'i>>, "links";
    }

    /// Where deployed services run.
    PlatformKeys, platform, "a platform", json!({}) => {
        /// Files, containers or ECS services.
        kind: PlatformKind, "kind", required;
        /// The directory of the file platform, relative to the root file.
        path: Text<'i>, "path";
        /// Name or ARN of the cluster of the ecs platform.
        cluster: Text<'i>, "cluster";
        /// The engine of the docker platform, `unix:///path` or `tcp://host:port`; default: `DOCKER_HOST`, or the local
        /// socket.
        host: Text<'i>, "host";
        /// The network in which the docker platform creates new containers.
        network: Text<'i>, "network";
        /// How long a container without a health check must run before the docker platform considers it healthy.
        settle: Seconds, "settle";
        /// The cluster's region; default: from the environment.
        region: Text<'i>, "region";
        /// An ECS endpoint to use instead of AWS's.
        endpoint: Text<'i>, "endpoint";
        /// The template for service names on the ecs platform, like `{tenant}-{role}` or `{link}-{role}`.
        service_name: Text<'i>, "service-name", default "{role}";
    }

    /// A folder of a repository, linked to a tenant.
    LinkKeys, link, "a link", json!({
        "not": { "anyOf": [
            { "required": ["sha", "branch"] },
            { "required": ["sha", "pipeline"] },
            { "required": ["branch", "pipeline"] },
        ] },
        "dependentRequired": { "pin": ["pipeline"] },
    }) => {
        /// The repository's name under `[repos]`. Required, here or in the template.
        repo: Text<'i>, "repo";
        /// The folder of the service in the repository; default: the root.
        folder: Folder, "folder", default "";
        /// The workflow's name under `[workflows]`; default: the workflow in the repository's `katkitconfig.js`.
        workflow: Text<'i>, "workflow";
        /// The commit that should run: all forty digits. One of `sha`, `branch` and `pipeline` is required, here or in
        /// the template.
        sha: CommitSha, "sha";
        /// The branch whose tip should run.
        branch: Branch<'i>, "branch";
        /// The pipeline that chooses the commit: its name under `[pipelines]`, where a stage lists the link.
        pipeline: Text<'i>, "pipeline";
        /// The commit to stay at for as long as this is here, instead of the pipeline's choice.
        pin: PinKeys<'i>, "pin";
        /// Folders and files, from the root of the repository, that matter to the link besides its folder. No workflow
        /// runs for a commit of the branch that changes none of them. Default: the workflow runs for every commit.
        watch: Vec<Located<Folder>>, "watch";
        /// The commits that the workflow runs for: `watched` those that change a watched path, `any` all of them.
        changes: Changes, "changes", default "watched";
        /// Phases of the workflow to skip.
        skip: Vec<Located<Text<'i>>>, "skip";
        /// Variables for the link's phases; they override the tenant's.
        variables: VariablePairs<'i>, "variables";
    }
}
