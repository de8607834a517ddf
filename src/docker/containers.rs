//! What is asked of an engine about containers. A container is named by its full id, or by a name of katkit's own.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder,
    KillContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    StopContainerOptionsBuilder, UploadToContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use bollard::{body_full, body_try_stream};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use tokio::io::AsyncWrite;

use super::call::{ANSWER, Call, Limits};
use super::{Engine, EngineError, absent_if_missing, harmless, names, podman};
use crate::causes;

/// Of a wait, which is then begun again.
const WAIT: Limits = Limits { time: Duration::from_mins(10), bytes: 64 << 10 };
/// Of stopping a container, which people may give a long time to end.
const STOP: Limits = Limits { time: Duration::from_mins(30), bytes: 64 << 10 };
/// Of the last lines of a container.
const LAST_LINES: Limits = Limits { time: Duration::from_secs(10), bytes: 64 << 10 };
/// Of all lines of a container.
const ALL_LINES: Limits = Limits { time: Duration::from_secs(10), bytes: 64 << 20 };
/// How often to retry a call that Podman fails because a container changes state at that moment.
const TRIES: u32 = 50;
/// How many of the last lines of a container are kept.
const LAST: usize = 3;
/// How much of the last lines is kept, in characters.
const KEPT: usize = 1000;
/// How much of the output is kept while it is read, in bytes, at least.
const WINDOW: usize = 16 << 10;

impl Engine {
    /// Every container, running or not, that has all of these labels (`key` or `key=value`).
    pub async fn containers(&self, labels: Vec<String>) -> Result<Vec<ContainerSummary>, EngineError> {
        let filters = serde_json::json!({ "label": labels }).to_string();
        let query = utf8_percent_encode(&filters, NON_ALPHANUMERIC);
        let path = self.path(&format!("containers/json?all=true&filters={query}")).await?;
        let call = self.begin("list containers").await?;
        let mut tries = 0;
        let answer = loop {
            match call.get(&path).await {
                // Podman does not finish a list from which a container was removed meanwhile.
                Err(error) if error.is_missing() && tries < TRIES => tries += 1,
                other => break other?,
            }
        };
        let mut listed: Vec<ContainerSummary> = self.understand(&answer)?;
        for container in &mut listed {
            if self.is_podman() {
                container.image = container.image.take().map(|image| podman::familiar(&image).to_owned());
            }
        }
        for container in &listed {
            check_id(&call, container.id.as_deref().unwrap_or_default())?;
            if let Some(missing) = missing(&labels, container.labels.as_ref()) {
                return Err(call.implausible(format!("has a container without the label `{missing}`")));
            }
        }
        Ok(listed)
    }

    /// Everything about a container; `None` if it does not exist.
    pub async fn inspect(&self, container: &str) -> Result<Option<ContainerInspectResponse>, EngineError> {
        check(container)?;
        let path = self.path(&format!("containers/{container}/json")).await?;
        let call = self.begin("inspect a container").await?;
        let Some(answer) = absent_if_missing(call.get(&path).await)? else { return Ok(None) };
        let mut found: ContainerInspectResponse = self.understand(&answer)?;
        if self.is_podman() {
            found = podman::container(found);
        }
        let (id, name) = (found.id.as_deref().unwrap_or_default(), found.name.as_deref().unwrap_or_default());
        check_id(&call, id)?;
        if id != container && name.trim_start_matches('/') != container {
            return Err(call.implausible(format!("is about another container than `{container}`")));
        }
        // What a container did may be recorded.
        if let Some(state) = &mut found.state {
            let outputs = state.health.iter_mut().flat_map(|health| health.log.iter_mut().flatten());
            let texts = outputs.filter_map(|result| result.output.as_mut()).chain(&mut state.error);
            texts.for_each(|text| *text = causes::cut(text));
        }
        Ok(Some(found))
    }

    /// The options that people gave a container and that the engine does not show, so that a successor would be without
    /// them.
    pub async fn unshown(&self, container: &str) -> Result<Vec<String>, EngineError> {
        check(container)?;
        let call = self.begin("inspect a container").await?;
        let Some(podman) = self.podman() else { return Ok(Vec::new()) };
        let own = call.get(&format!("{}/containers/{container}/json", podman.own)).await;
        let Some(own) = absent_if_missing(own)? else { return Ok(Vec::new()) };
        let own = serde_json::from_slice(&own).map_err(|error| self.error(error.into()))?;
        Ok(podman::unshown_options(&own))
    }

    /// Creates a container, and returns its id.
    pub async fn create(&self, name: &str, mut body: ContainerCreateBody) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let call = self.begin("create a container").await?;
        if self.is_podman() {
            for volume in podman::volumes(&body) {
                self.create_volume(volume).await?;
            }
            body = podman::of_body(body);
        }
        let created = call.run(call.docker.create_container(Some(options), body)).await?;
        check_id(&call, &created.id)?;
        Ok(created.id)
    }

    /// Starts a container. Harmless if it runs.
    pub async fn start(&self, container: &str) -> Result<(), EngineError> {
        check(container)?;
        let call = self.begin("start a container").await?;
        let mut tries = 0;
        loop {
            let started =
                call.run(call.docker.start_container(container, None::<StartContainerOptions>)).await;
            match started {
                // Podman refuses the second of two concurrent starts. Docker lets both succeed.
                Err(error) if self.is_podman() && error.is_conflict() && tries < TRIES => {
                    if self.runs(container).await? {
                        return Ok(());
                    }
                    tries += 1;
                }
                started => return started,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn runs(&self, container: &str) -> Result<bool, EngineError> {
        let state = self.inspect(container).await?.and_then(|found| found.state);
        Ok(state.and_then(|state| state.running).unwrap_or_default())
    }

    /// Lets a container end in its own way, within its own time. Harmless if it is gone.
    pub async fn stop(&self, container: &str) -> Result<(), EngineError> {
        check(container)?;
        let call = self.begin_within("stop a container", STOP).await?;
        let mut options = None;
        if self.is_podman() {
            // Without a stop timeout, Podman kills the container at once.
            let config = self.inspect(container).await?.and_then(|found| found.config);
            let seconds = config.and_then(|config| config.stop_timeout).unwrap_or(podman::STOP_TIMEOUT);
            options =
                Some(StopContainerOptionsBuilder::new().t(seconds.try_into().unwrap_or(i32::MAX)).build());
        }
        let stopped = call.run(call.docker.stop_container(container, options)).await;
        absent_if_missing(stopped).map(drop)
    }

    /// Sends a signal to a container. Harmless if it does not run.
    pub async fn signal(&self, container: &str, signal: &str) -> Result<(), EngineError> {
        check(container)?;
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let call = self.begin("send a signal to a container").await?;
        harmless(call.run(call.docker.kill_container(container, Some(options))).await)
    }

    /// Ends a container by force and removes it if it has these labels (`key` or `key=value`), its anonymous volumes
    /// too if these are not wanted any more. Harmless if it is gone; returns when it is.
    pub async fn remove(&self, container: &str, labels: &[String], volumes: bool) -> Result<(), EngineError> {
        for _ in 0..100 {
            let Some(found) = self.inspect(container).await? else { return Ok(()) };
            if let Some(missing) = missing(labels, found.config.and_then(|config| config.labels).as_ref()) {
                let message =
                    format!("the container `{container}` has no label `{missing}`, and is not removed");
                return Err(EngineError::Refused { status: 403, message });
            }
            // By the id: the name may be another's by now.
            let id = found.id.unwrap_or_default();
            if self.is_podman() && found.state.is_some_and(|state| state.running == Some(true)) {
                self.end(&id).await?;
            }
            let options = RemoveContainerOptionsBuilder::new().force(true).v(volumes).build();
            let call = self.begin("remove a container").await?;
            match call.run(call.docker.remove_container(&id, Some(options))).await {
                // Somebody else is removing it.
                Err(error) if error.is_conflict() => tokio::time::sleep(Duration::from_millis(50)).await,
                other => return absent_if_missing(other).map(drop),
            }
        }
        let message = "it is being removed, and does not go away".to_owned();
        Err(EngineError::Refused { status: 409, message })
    }

    /// Ends a container by force before Podman, which is asked to remove it, gives it time to end.
    async fn end(&self, container: &str) -> Result<(), EngineError> {
        let options = StopContainerOptionsBuilder::new().t(0).build();
        let call = self.begin("end a container").await?;
        harmless(call.run(call.docker.stop_container(container, Some(options))).await)
    }

    /// Runs the health check of a container once on Podman, which leaves that to timers of systemd. The result is in the
    /// container's state.
    pub async fn check_health(&self, container: &str, within: Duration) -> Result<(), EngineError> {
        check(container)?;
        let Some(podman) = self.podman() else { return Ok(()) };
        let call =
            self.begin_within("check the health of a container", Limits { time: within, ..ANSWER }).await?;
        match call.get(&format!("{}/containers/{container}/healthcheck", podman.own)).await {
            Err(error @ EngineError::Unreachable { .. }) => Err(error),
            // A check that takes too long or cannot be run has not succeeded.
            _ => Ok(()),
        }
    }

    /// Returns when the container does not run, or when the engine does not say so any more: after ten minutes at the
    /// latest. What it says of the exit code is not looked at.
    pub async fn wait(&self, container: &str) -> Result<(), EngineError> {
        check(container)?;
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let call = self.begin_within("wait for a container", WAIT).await?;
        let mut answers = std::pin::pin!(call.docker.wait_container(container, Some(options)));
        while let Ok(Some(_)) = call.next(&mut answers).await {}
        Ok(())
    }

    /// The standard input of a container that is about to be started.
    pub async fn input(&self, container: &str) -> Result<Pin<Box<dyn AsyncWrite + Send>>, EngineError> {
        check(container)?;
        let options = AttachContainerOptionsBuilder::new().stdin(true).stream(true).build();
        let call = self.begin("attach to a container").await?;
        Ok(call.run(call.docker.attach_container(container, Some(options))).await?.input)
    }

    /// Whether there is such a file in a container.
    pub async fn has_file(&self, container: &str, path: &str) -> Result<bool, EngineError> {
        check(container)?;
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let call = self.begin("look into a container").await?;
        let mut tries = 0;
        loop {
            let info = call.docker.get_container_archive_info(container, Some(options.clone()));
            match absent_if_missing(call.run(info).await) {
                // Podman cannot look into a container while it ends.
                Err(EngineError::Refused { status: 500, .. }) if self.is_podman() && tries < TRIES => {
                    tries += 1
                }
                info => return Ok(info?.is_some()),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Unpacks an archive into a directory of a container.
    pub async fn unpack(
        &self,
        container: &str,
        directory: &str,
        archive: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), EngineError> {
        check(container)?;
        let options = UploadToContainerOptionsBuilder::new().path(directory).build();
        let call = self.begin("copy into a container").await?;
        let sent = call.docker.upload_to_container(container, Some(options), body_try_stream(archive));
        call.run(sent).await
    }

    /// The same, of an archive that is in memory.
    pub async fn unpack_small(
        &self,
        container: &str,
        directory: &str,
        archive: Vec<u8>,
    ) -> Result<(), EngineError> {
        check(container)?;
        let options = UploadToContainerOptionsBuilder::new().path(directory).build();
        let call = self.begin("copy into a container").await?;
        let sent = call.docker.upload_to_container(container, Some(options), body_full(archive.into()));
        call.run(sent).await
    }

    /// The last lines that a container printed, joined by `; `. Perhaps empty, for whatever reason.
    pub async fn last_words(&self, container: &str) -> String {
        // Asked for the last lines, Podman (4.3) cuts a line that was written in pieces, and joins them in the wrong
        // order. It gets them right when asked for all.
        let is_podman = self.connected().await.is_ok() && self.is_podman();
        let mut output = Output { window: if is_podman { WINDOW } else { usize::MAX }, ..Output::default() };
        if is_podman {
            self.read_output(container, "all", ALL_LINES, &mut output).await;
        } else {
            self.read_output(container, "3", LAST_LINES, &mut output).await;
        }
        if is_podman && !output.complete {
            return String::new();
        }
        let text = String::from_utf8_lossy(&output.end);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let first = if is_podman { lines.len().saturating_sub(LAST) } else { 0 };
        lines[first..].join("; ").chars().filter(|c| !c.is_control()).take(KEPT).collect()
    }

    async fn read_output(&self, container: &str, lines: &str, limits: Limits, output: &mut Output) {
        let Ok(call) = self.begin_within("read the output of a container", limits).await else { return };
        if check(container).is_err() {
            return;
        }
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(lines).build();
        let mut parts = std::pin::pin!(call.docker.logs(container, Some(options)));
        // Not `Call::next`: the limit is for all of them.
        loop {
            match call.run(async { parts.next().await.transpose() }).await {
                Ok(Some(part)) => output.push(&part.into_bytes()),
                Ok(None) => break output.complete = true,
                Err(_) => break,
            }
        }
    }
}

/// What a container printed, as far as it was read.
#[derive(Default)]
struct Output {
    /// The last bytes.
    end: Vec<u8>,
    /// How many of them are kept, at least.
    window: usize,
    /// Whether it was read to its end.
    complete: bool,
}

impl Output {
    fn push(&mut self, part: &[u8]) {
        self.end.extend_from_slice(part);
        if self.end.len() / 2 > self.window {
            self.end.drain(..self.end.len() - self.window);
        }
    }
}

impl Engine {
    /// The path of a call, in a version that the engine knows.
    async fn path(&self, rest: &str) -> Result<String, EngineError> {
        let version = &self.connected().await?.version;
        Ok(format!("/v{}.{}/{rest}", version.major_version, version.minor_version))
    }

    /// What an answer about containers says.
    fn understand<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, EngineError> {
        let understood = if self.is_podman() {
            serde_json::from_slice(answer).and_then(|mut answer| {
                podman::plain_states(&mut answer);
                serde_json::from_value(answer)
            })
        } else {
            serde_json::from_slice(answer)
        };
        understood.map_err(|error| self.error(error.into()))
    }
}

/// The first of these labels (`key` or `key=value`) that is not there.
fn missing<'l>(wanted: &'l [String], there: Option<&HashMap<String, String>>) -> Option<&'l String> {
    let has = |label: &String| {
        let (key, value) = label.split_once('=').map_or((label.as_str(), None), |(k, v)| (k, Some(v)));
        there.and_then(|there| there.get(key)).is_some_and(|found| value.is_none_or(|value| value == found))
    };
    wanted.iter().find(|label| !has(label))
}

/// A name that somebody else wrote, into the record for instance, is not put into a path.
fn check(container: &str) -> Result<(), EngineError> {
    if names::is_container(container) {
        return Ok(());
    }
    let message = format!("`{}` is not the name of a container of katkit's", causes::cut(container));
    Err(EngineError::Refused { status: 400, message })
}

fn check_id(call: &Call<'_>, id: &str) -> Result<(), EngineError> {
    match names::is_id(id) {
        true => Ok(()),
        false => Err(call.implausible(format!("has `{}` as the id of a container", causes::cut(id)))),
    }
}
