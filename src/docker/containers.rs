//! Engine calls about containers. Containers are addressed by full id or by a name that katkit gave them.

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

/// For a wait, which the caller then repeats.
const WAIT: Limits = Limits { time: Duration::from_mins(10), bytes: 64 << 10 };
/// For stopping a container, whose stop timeout may be long.
const STOP: Limits = Limits { time: Duration::from_mins(30), bytes: 64 << 10 };
/// For the last lines of a container's output.
const LAST_LINES: Limits = Limits { time: Duration::from_secs(10), bytes: 64 << 10 };
/// For all lines of a container's output.
const ALL_LINES: Limits = Limits { time: Duration::from_secs(10), bytes: 64 << 20 };
/// How many of a container's last lines to keep.
const LAST: usize = 3;
/// How much of the last lines to keep, in characters.
const KEPT: usize = 1000;
/// Minimum output to keep while reading, in bytes.
const WINDOW: usize = 16 << 10;

impl Engine {
    /// Every container, running or not, that has all of these labels (`key` or `key=value`).
    pub async fn containers(&self, labels: Vec<String>) -> Result<Vec<ContainerSummary>, EngineError> {
        let filters = serde_json::json!({ "label": labels }).to_string();
        let query = utf8_percent_encode(&filters, NON_ALPHANUMERIC);
        let path = self.path(&format!("containers/json?all=true&filters={query}")).await?;
        let call = self.begin("list containers").await?;
        // Podman fails a list if a container is removed meanwhile.
        let answer = self.repeated(EngineError::is_missing, || call.get(&path)).await?;
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
        // The journal may store these texts.
        if let Some(state) = &mut found.state {
            let outputs = state.health.iter_mut().flat_map(|health| health.log.iter_mut().flatten());
            let texts = outputs.filter_map(|result| result.output.as_mut()).chain(&mut state.error);
            texts.for_each(|text| *text = causes::cut(text));
        }
        Ok(Some(found))
    }

    /// Options of a container that the engine does not show, so that a successor would lack them. Always empty for
    /// Docker.
    pub async fn unshown(&self, container: &str) -> Result<Vec<String>, EngineError> {
        check(container)?;
        let call = self.begin("inspect a container").await?;
        let Some(podman) = self.podman() else { return Ok(Vec::new()) };
        let own = call.get(&format!("{}/containers/{container}/json", podman.own)).await;
        let Some(own) = absent_if_missing(own)? else { return Ok(Vec::new()) };
        let own = serde_json::from_slice(&own).map_err(|error| self.error(error.into()))?;
        Ok(podman::unshown_options(&own))
    }

    /// Creates a container and returns its id.
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

    /// Starts a container. Does nothing if it is running.
    pub async fn start(&self, container: &str) -> Result<(), EngineError> {
        check(container)?;
        let call = self.begin("start a container").await?;
        // Podman refuses the second of two concurrent starts. Docker lets both succeed.
        let start = async || match call
            .run(call.docker.start_container(container, None::<StartContainerOptions>))
            .await
        {
            Err(error) if self.is_podman() && error.is_conflict() && self.runs(container).await? => Ok(()),
            started => started,
        };
        self.repeated(EngineError::is_conflict, start).await
    }

    async fn runs(&self, container: &str) -> Result<bool, EngineError> {
        let state = self.inspect(container).await?.and_then(|found| found.state);
        Ok(state.and_then(|state| state.running).unwrap_or_default())
    }

    /// Stops a container gracefully, within its own stop timeout. Does nothing if it does not exist.
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

    /// Sends a signal to a container. Does nothing if it is not running.
    pub async fn signal(&self, container: &str, signal: &str) -> Result<(), EngineError> {
        check(container)?;
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let call = self.begin("send a signal to a container").await?;
        harmless(call.run(call.docker.kill_container(container, Some(options))).await)
    }

    /// Kills and removes a container if it has these labels (`key` or `key=value`), with its anonymous volumes if
    /// `volumes` is set. Returns once the container is gone; does nothing if it does not exist.
    pub async fn remove(&self, container: &str, labels: &[String], volumes: bool) -> Result<(), EngineError> {
        for _ in 0..100 {
            let Some(found) = self.inspect(container).await? else { return Ok(()) };
            if let Some(missing) = missing(labels, found.config.and_then(|config| config.labels).as_ref()) {
                let message =
                    format!("the container `{container}` has no label `{missing}` and is not removed");
                return Err(EngineError::Refused { status: 403, message });
            }
            // By id: the name may belong to another container by now.
            let id = found.id.unwrap_or_default();
            if self.is_podman() && found.state.is_some_and(|state| state.running == Some(true)) {
                self.end(&id).await?;
            }
            let options = RemoveContainerOptionsBuilder::new().force(true).v(volumes).build();
            let call = self.begin("remove a container").await?;
            match call.run(call.docker.remove_container(&id, Some(options))).await {
                // It is already being removed.
                Err(error) if error.is_conflict() => tokio::time::sleep(Duration::from_millis(50)).await,
                other => return absent_if_missing(other).map(drop),
            }
        }
        let message = "it is being removed, but the removal does not finish".to_owned();
        Err(EngineError::Refused { status: 409, message })
    }

    /// Kills a container first, because Podman's remove call would give it time to stop.
    async fn end(&self, container: &str) -> Result<(), EngineError> {
        let options = StopContainerOptionsBuilder::new().t(0).build();
        let call = self.begin("kill a container").await?;
        harmless(call.run(call.docker.stop_container(container, Some(options))).await)
    }

    /// Runs a container's health check once. Podman only: it leaves health checks to systemd timers. The result is in
    /// the container's state.
    pub async fn check_health(&self, container: &str, within: Duration) -> Result<(), EngineError> {
        check(container)?;
        let Some(podman) = self.podman() else { return Ok(()) };
        let call =
            self.begin_within("check the health of a container", Limits { time: within, ..ANSWER }).await?;
        match call.get(&format!("{}/containers/{container}/healthcheck", podman.own)).await {
            Err(error @ EngineError::Unreachable { .. }) => Err(error),
            // A check that times out or cannot run has not succeeded.
            _ => Ok(()),
        }
    }

    /// Waits until the container stops or the connection ends, at most ten minutes. Ignores the reported exit code.
    pub async fn wait(&self, container: &str) -> Result<(), EngineError> {
        check(container)?;
        let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
        let call = self.begin_within("wait for a container", WAIT).await?;
        let mut answers = std::pin::pin!(call.docker.wait_container(container, Some(options)));
        while let Ok(Some(_)) = call.next(&mut answers).await {}
        Ok(())
    }

    /// Attaches to the standard input of a container. Call before starting it.
    pub async fn input(&self, container: &str) -> Result<Pin<Box<dyn AsyncWrite + Send>>, EngineError> {
        check(container)?;
        let options = AttachContainerOptionsBuilder::new().stdin(true).stream(true).build();
        let call = self.begin("attach to a container").await?;
        Ok(call.run(call.docker.attach_container(container, Some(options))).await?.input)
    }

    /// Whether a file exists in a container.
    pub async fn has_file(&self, container: &str, path: &str) -> Result<bool, EngineError> {
        check(container)?;
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let call = self.begin("look up a file in a container").await?;
        let ask = || call.run(call.docker.get_container_archive_info(container, Some(options.clone())));
        // Podman cannot read the files of a container that is stopping.
        let stopping = |error: &EngineError| matches!(error, EngineError::Refused { status: 500, .. });
        Ok(absent_if_missing(self.repeated(stopping, ask).await)?.is_some())
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

    /// Like `unpack`, for an archive in memory.
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

    /// The last lines of a container's output, joined by `; `. Empty if they cannot be read.
    pub async fn last_lines(&self, container: &str) -> String {
        // When asked for the last lines, Podman 4.3 cuts lines that were written in pieces and joins the pieces in the
        // wrong order. It gets them right when asked for all.
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
        // Not `Call::next`: the size limit is for all parts together.
        loop {
            match call.run(async { parts.next().await.transpose() }).await {
                Ok(Some(part)) => output.push(&part.into_bytes()),
                Ok(None) => break output.complete = true,
                Err(_) => break,
            }
        }
    }
}

/// The output of a container, as far as it was read.
#[derive(Default)]
struct Output {
    /// The last bytes.
    end: Vec<u8>,
    /// Minimum number of bytes to keep.
    window: usize,
    /// Whether the output was read to the end.
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
    /// The path of a call, with the negotiated API version.
    async fn path(&self, rest: &str) -> Result<String, EngineError> {
        let version = &self.connected().await?.version;
        Ok(format!("/v{}.{}/{rest}", version.major_version, version.minor_version))
    }

    /// Parses a response about containers.
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

/// The first wanted label (`key` or `key=value`) that is missing.
fn missing<'l>(wanted: &'l [String], there: Option<&HashMap<String, String>>) -> Option<&'l String> {
    let has = |label: &String| {
        let (key, value) = label.split_once('=').map_or((label.as_str(), None), |(k, v)| (k, Some(v)));
        there.and_then(|there| there.get(key)).is_some_and(|found| value.is_none_or(|value| value == found))
    };
    wanted.iter().find(|label| !has(label))
}

/// Keeps foreign names, for instance from the journal, out of request paths.
fn check(container: &str) -> Result<(), EngineError> {
    if names::is_container(container) {
        return Ok(());
    }
    let message = format!("`{}` is not the name of a katkit container", causes::cut(container));
    Err(EngineError::Refused { status: 400, message })
}

fn check_id(call: &Call<'_>, id: &str) -> Result<(), EngineError> {
    match names::is_id(id) {
        true => Ok(()),
        false => Err(call.implausible(format!("has `{}` as the id of a container", causes::cut(id)))),
    }
}
