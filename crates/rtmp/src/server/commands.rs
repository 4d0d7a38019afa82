//! What each command of a client does.
//!
//! None of them ends the connection: a call that cannot be served is answered and forgotten.

use media::amf0::Value;

use super::{Connect, Event, Pending, PublishMode, ServerSession, Stage};
use crate::capabilities::Capabilities;
use crate::command::{Command, Level, on_status, split_query, stream_id};
use crate::{Error, Protocol};

/// Calls answered before `connect`. No client makes any; some probe.
const CALLS_BEFORE_CONNECT_MAX: usize = 32;

/// What clients send for "live or else recorded, from the start" (RTMP 7.2.2.1: -2).
const START_DEFAULT: f64 = -2.0;
const DURATION_DEFAULT: f64 = -1.0;

impl ServerSession {
    pub(super) fn command(&mut self, stream: u32, command: &Command) -> Result<(), Error> {
        if !matches!(self.stage, Stage::Ready) {
            return self.command_before_connect(command);
        }
        match command.name.as_str() {
            "createStream" => self.create_stream(command),
            "deleteStream" => self.delete_stream(command),
            "closeStream" => self.end_stream(stream),
            "publish" => self.publish(stream, command),
            "play" => self.play(stream, command.argument(0), play_times(command)),
            "play2" => self.play2(stream, command),
            "pause" | "pauseRaw" => self.pause(stream, command),
            "seek" => self.seek(stream, command),
            "receiveAudio" => self.receive_audio(stream, command),
            "receiveVideo" => self.receive_video(stream, command),
            "releaseStream" | "_checkbw" | "setPlaylist" | "set_playlist" => {
                self.result(command, Value::Null);
            }
            // A live stream has no length; 0 is how every client is told.
            "getStreamLength" => self.result(command, 0.0.into()),
            "FCPublish" => self.fc(command, "onFCPublish", "NetStream.Publish.Start"),
            "FCUnpublish" => {
                self.unpublish(command.argument(0));
                self.fc(command, "onFCUnpublish", "NetStream.Unpublish.Success");
            }
            "FCSubscribe" => self.fc(command, "onFCSubscribe", "NetStream.Play.Start"),
            "FCUnsubscribe" => self.fc(command, "onFCUnsubscribe", "NetStream.Play.Stop"),
            "connect" => self.fail(command, "This connection is connected already."),
            _ => self.fail(command, "This method is not known here."),
        }
        Ok(())
    }

    fn command_before_connect(&mut self, command: &Command) -> Result<(), Error> {
        if command.name == "connect" {
            self.connect(command);
            return Ok(());
        }
        self.calls_before_connect += 1;
        if self.calls_before_connect > CALLS_BEFORE_CONNECT_MAX {
            return Err(Error::Protocol(Protocol::Command {
                command: "connect",
                expected: "connect before anything else",
                got: "many other calls",
            }));
        }
        self.fail(command, "connect comes first.");
        Ok(())
    }

    fn connect(&mut self, command: &Command) {
        let object = &command.object;
        let text = |name| object.property(name).and_then(Value::as_str).unwrap_or_default();
        let (app, query) = split_query(text("app"));
        if app.len() > self.config.limits.name_bytes {
            let description = "The name of the application is too long.";
            self.error(command.transaction_id, "NetConnection.Connect.InvalidApp", description);
            self.stop();
            return;
        }
        let asked = object.property("objectEncoding").and_then(Value::as_f64);
        let object_encoding = if asked == Some(3.0) { 3 } else { 0 };
        self.offered = Capabilities::of(object);
        let info = Box::new(Connect {
            app: app.to_owned(),
            query: query.map(str::to_owned),
            tc_url: text("tcUrl").to_owned(),
            flash_ver: text("flashVer").to_owned(),
            object_encoding,
            capabilities: self.offered.clone(),
            object: object.clone(),
        });
        app.clone_into(&mut self.app);
        let transaction_id = command.transaction_id;
        let request = self.ask(Pending::Connect { transaction_id, object_encoding });
        self.events.push_back(Event::Connect { request, info });
    }

    fn create_stream(&mut self, command: &Command) {
        match self.streams.create(self.config.limits.message_streams) {
            Some(id) => self.result(command, f64::from(id).into()),
            None => self.fail(command, "Too many streams are open on this connection."),
        }
    }

    fn delete_stream(&mut self, command: &Command) {
        if let Some(stream) = command.argument(0).as_f64().and_then(stream_id) {
            let publishing = self.streams.is_publishing(stream);
            let ended = self.streams.delete(stream);
            self.ended(stream, publishing, ended);
        }
    }

    fn end_stream(&mut self, stream: u32) {
        let publishing = self.streams.is_publishing(stream);
        let ended = self.streams.end(stream);
        self.ended(stream, publishing, ended);
    }

    fn ended(&mut self, stream: u32, publishing: bool, ended: Option<Event>) {
        let Some(ended) = ended else { return };
        self.events.push_back(ended);
        // Whoever stays gets the full time for the next request.
        self.deadline = None;
        if publishing {
            let text = "No longer publishing.";
            self.status(stream, Level::Status, "NetStream.Unpublish.Success", text);
        }
    }

    fn unpublish(&mut self, name: &Value) {
        let name = name.as_str().map(|name| split_query(name).0);
        if let Some(stream) = name.and_then(|name| self.streams.publisher_of(name)) {
            self.end_stream(stream);
        }
    }

    fn publish(&mut self, stream: u32, command: &Command) {
        // `publish(false)` is how ActionScript stops publishing.
        if command.argument(0).as_bool() == Some(false) {
            return self.end_stream(stream);
        }
        let refuse = |session: &mut Self, code, text| {
            session.status(stream, Level::Error, code, text);
        };
        if !self.streams.is_open(stream) {
            let text = "Publish on a stream that createStream returned.";
            return refuse(self, "NetStream.Publish.Failed", text);
        }
        if !self.streams.is_free(stream) {
            let text = "This stream is in use already.";
            return refuse(self, "NetStream.Publish.Failed", text);
        }
        let Some((name, query)) = self.name(command.argument(0)) else {
            let text = "Expected a name for the stream, which is not too long.";
            return refuse(self, "NetStream.Publish.BadName", text);
        };
        let mode = match command.argument(1).as_str() {
            Some("record") => PublishMode::Record,
            Some("append") => PublishMode::Append,
            _ => PublishMode::Live,
        };
        let request = self.ask(Pending::Publish { stream, name: name.clone() });
        let app = self.app.clone();
        self.events.push_back(Event::Publish { request, stream, app, name, query, mode });
    }

    fn play(
        &mut self,
        stream: u32,
        name: &Value,
        (start_ms, duration_ms, reset): (f64, f64, bool),
    ) {
        let refuse = |session: &mut Self, code, text| {
            session.status(stream, Level::Error, code, text);
        };
        if !self.streams.is_open(stream) {
            let text = "Play on a stream that createStream returned.";
            return refuse(self, "NetStream.Play.Failed", text);
        }
        if self.streams.is_publishing(stream) {
            let text = "This stream publishes already.";
            return refuse(self, "NetStream.Play.Failed", text);
        }
        // `play(false)` stops; another name on a stream that plays takes the place of the first.
        self.end_stream(stream);
        if name.as_bool() == Some(false) {
            return;
        }
        let Some((name, query)) = self.name(name) else {
            let text = "Expected a name for the stream, which is not too long.";
            return refuse(self, "NetStream.Play.StreamNotFound", text);
        };
        let request = self.ask(Pending::Play { stream, reset });
        let app = self.app.clone();
        let event = Event::Play { request, stream, app, name, query, start_ms, duration_ms };
        self.events.push_back(event);
    }

    /// RTMP 7.2.2.2: a switch to another stream, told in an object.
    fn play2(&mut self, stream: u32, command: &Command) {
        let options = command.argument(0);
        let number =
            |name, default| options.property(name).and_then(Value::as_f64).unwrap_or(default);
        let times = (number("start", START_DEFAULT), number("len", DURATION_DEFAULT), false);
        let name = options.property("streamName").unwrap_or(&Value::Undefined);
        self.play(stream, name, times);
    }

    fn pause(&mut self, stream: u32, command: &Command) {
        let Some(player) = self.streams.player(stream) else { return };
        let paused = command.argument(0).as_bool().unwrap_or(true);
        player.pause(paused);
        self.events.push_back(Event::Pause { stream, paused });
        let (code, text) = match paused {
            true => ("NetStream.Pause.Notify", "Paused."),
            false => ("NetStream.Unpause.Notify", "Going on."),
        };
        self.status(stream, Level::Status, code, text);
    }

    /// FFmpeg throws everything away until it is told yes, and gives up when it is told no.
    fn seek(&mut self, stream: u32, command: &Command) {
        let Some(player) = self.streams.player(stream) else { return };
        player.wait_for_key();
        let position_ms = command.argument(0).as_f64().unwrap_or(0.0);
        self.events.push_back(Event::Seek { stream, position_ms });
        self.status(stream, Level::Status, "NetStream.Seek.Notify", "Going on.");
    }

    fn receive_audio(&mut self, stream: u32, command: &Command) {
        let Some(player) = self.streams.player(stream) else { return };
        let wanted = command.argument(0).as_bool().unwrap_or(true);
        player.receive_audio(wanted);
        self.received(stream, wanted);
    }

    fn receive_video(&mut self, stream: u32, command: &Command) {
        let Some(player) = self.streams.player(stream) else { return };
        let wanted = command.argument(0).as_bool().unwrap_or(true);
        player.receive_video(wanted);
        self.received(stream, wanted);
    }

    /// RTMP 7.2.2.4, 7.2.2.5: no answer to "off", these two to "on".
    fn received(&mut self, stream: u32, wanted: bool) {
        if wanted {
            self.status(stream, Level::Status, "NetStream.Seek.Notify", "Going on.");
            self.status(stream, Level::Status, "NetStream.Play.Start", "Playing.");
        }
    }

    /// The name and its query; `None` when it is no text or too long.
    fn name(&self, value: &Value) -> Option<(String, Option<String>)> {
        let (name, query) = split_query(value.as_str()?);
        let fits = name.len() <= self.config.limits.name_bytes;
        fits.then(|| (name.to_owned(), query.map(str::to_owned)))
    }

    /// The calls of Flash Media Live Encoder and its kin: some wait for the result, some for the
    /// callback.
    fn fc(&mut self, command: &Command, callback: &str, code: &str) {
        self.result(command, Value::Null);
        let mut notice = on_status(Level::Status, code, "");
        callback.clone_into(&mut notice.name);
        self.link.command(0, &notice);
    }

    fn result(&mut self, command: &Command, value: Value) {
        if command.wants_answer() {
            let result = Command::new("_result", command.transaction_id, vec![value]);
            self.link.command(0, &result);
        }
    }

    fn fail(&mut self, command: &Command, description: &str) {
        if command.wants_answer() {
            self.error(command.transaction_id, "NetConnection.Call.Failed", description);
        }
    }
}

/// The arguments of `play` behind the name (RTMP 7.2.2.1).
fn play_times(command: &Command) -> (f64, f64, bool) {
    let number = |index, default| command.argument(index).as_f64().unwrap_or(default);
    let reset = match command.argument(3) {
        Value::Boolean(reset) => *reset,
        Value::Number(reset) => *reset != 0.0,
        _ => false,
    };
    (number(1, START_DEFAULT), number(2, DURATION_DEFAULT), reset)
}
