//! A connection whose every message the test writes itself: for what no session would send, and to
//! see what a session keeps to itself.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use media::amf0::{self, Value};
use media::{Chunks, Packet};
use rtmp::chunk::{ChunkReader, ChunkWriter, Message};
use rtmp::command::Command;
use rtmp::handshake::{ENTROPY_BYTES, Handshake};
use rtmp::message::message_type;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{DEADLINE, Error, raw, within};

/// Bytes of one read.
const READ_BYTES: usize = 64 << 10;
/// Any but 2, which is for control (RTMP 5.4), would do.
const COMMAND_CHUNK_STREAM: u32 = 3;

/// A connection after its handshake, message by message. Reading passes over nothing but what it
/// says it passes over.
#[derive(Debug)]
pub struct Wire {
    socket: TcpStream,
    reader: ChunkReader,
    writer: ChunkWriter,
    /// Read from the socket and not yet understood.
    pending: Vec<u8>,
    transaction: f64,
}

impl Wire {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// When the server does not.
    pub async fn open(addr: SocketAddr) -> Result<Self, Error> {
        Self::over(raw(addr).await?).await
    }

    /// Shakes hands over a connection that was made otherwise.
    ///
    /// # Errors
    /// When the server does not.
    pub async fn over(mut socket: TcpStream) -> Result<Self, Error> {
        let mut handshake = Handshake::client(&[0x5a; ENTROPY_BYTES]);
        let mut buffer = vec![0; READ_BYTES];
        let mut pending = Vec::new();
        let shake = async {
            loop {
                let mut input = pending.as_slice();
                let mut out = Chunks::new();
                let done = handshake.feed(&mut input, &mut out)?;
                let unread = input.len();
                pending.drain(..pending.len() - unread);
                socket.write_all(&out.to_vec()).await?;
                if done {
                    return Ok(());
                }
                match socket.read(&mut buffer).await? {
                    0 => return Err(Error::Closed),
                    n => pending.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                }
            }
        };
        within("the handshake", shake).await?;
        let mut reader = ChunkReader::new(&rtmp::Limits::default());
        reader.set_message_bytes(rtmp::chunk::MESSAGE_BYTES_MAX);
        Ok(Self { socket, reader, writer: ChunkWriter::new(), pending, transaction: 0.0 })
    }

    /// Likewise, and connects to an application.
    ///
    /// # Errors
    /// When the server does not let it.
    pub async fn connected(addr: SocketAddr, app: &str) -> Result<Self, Error> {
        let mut wire = Self::open(addr).await?;
        wire.connect(vec![("app".to_owned(), app.into())]).await?;
        Ok(wire)
    }

    /// Sends `connect` with these properties and waits for its result.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the server refuses.
    pub async fn connect(&mut self, properties: Vec<(String, Value)>) -> Result<Command, Error> {
        self.transaction += 1.0;
        let mut connect = Command::new("connect", self.transaction, Vec::new());
        connect.object = Value::Object(properties);
        self.command(0, &connect).await?;
        self.result(self.transaction).await
    }

    /// Opens a message stream.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the server refuses.
    pub async fn create_stream(&mut self) -> Result<u32, Error> {
        let transaction = self.call(0, "createStream", Vec::new()).await?;
        let id = self.result(transaction).await?.argument(0).as_f64();
        let id = (1..=u32::MAX).take(1 << 16).find(|n| id == Some(f64::from(*n)));
        Ok(id.unwrap_or_else(|| panic!("createStream gave no id")))
    }

    /// Opens a message stream and publishes on it.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the server refuses.
    pub async fn publish(&mut self, name: &str) -> Result<u32, Error> {
        let stream = self.create_stream().await?;
        self.call(stream, "publish", vec![name.into(), "live".into()]).await?;
        self.granted("NetStream.Publish.Start").await?;
        Ok(stream)
    }

    /// Opens a message stream and plays on it.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the server refuses.
    pub async fn play(&mut self, name: &str) -> Result<u32, Error> {
        let stream = self.create_stream().await?;
        self.call(stream, "play", vec![name.into()]).await?;
        self.granted("NetStream.Play.Start").await?;
        Ok(stream)
    }

    /// Calls a method; returns the transaction, of which the answer tells. Does not wait for it.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn call(
        &mut self,
        stream: u32,
        name: &str,
        arguments: Vec<Value>,
    ) -> Result<f64, Error> {
        self.transaction += 1.0;
        self.command(stream, &Command::new(name, self.transaction, arguments)).await?;
        Ok(self.transaction)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn command(&mut self, stream: u32, command: &Command) -> Result<(), Error> {
        self.send(&Message {
            chunk_stream_id: COMMAND_CHUNK_STREAM,
            message_stream_id: stream,
            message_type: message_type::COMMAND_AMF0,
            timestamp: 0,
            body: command.encode(),
        })
        .await
    }

    /// Sends a packet as it is, on a chunk stream of its kind.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn media(&mut self, stream: u32, packet: &Packet) -> Result<(), Error> {
        self.send(&Message {
            chunk_stream_id: u32::from(packet.kind.number()),
            message_stream_id: stream,
            message_type: packet.kind.number(),
            timestamp: packet.timestamp(),
            body: packet.body.clone(),
        })
        .await
    }

    /// Sends a message, and uses its chunk size if it sets one.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn send(&mut self, message: &Message) -> Result<(), Error> {
        let mut out = Chunks::new();
        self.writer.write(
            &mut out,
            message.chunk_stream_id,
            message.message_stream_id,
            message.message_type,
            message.timestamp,
            &message.body,
        )?;
        if message.message_type == message_type::SET_CHUNK_SIZE
            && let Some(size) = message.body.first_chunk()
        {
            self.writer.set_chunk_size(u32::from_be_bytes(*size));
        }
        self.bytes(&out.to_vec()).await
    }

    /// Sets the chunk size of what is sent.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn set_chunk_size(&mut self, size: u32) -> Result<(), Error> {
        self.send(&Message {
            chunk_stream_id: 2,
            message_stream_id: 0,
            message_type: message_type::SET_CHUNK_SIZE,
            timestamp: 0,
            body: Bytes::copy_from_slice(&size.to_be_bytes()),
        })
        .await
    }

    /// Sends bytes as they are. Reads nothing meanwhile.
    ///
    /// # Errors
    /// When the server does not take them.
    pub async fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let write = async { Ok(self.socket.write_all(bytes).await?) };
        within("the server takes what is sent", write).await
    }

    /// The next message, whatever it is; `None` when the server has closed the connection.
    ///
    /// # Errors
    /// When nothing comes, or no RTMP.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let mut input = self.pending.as_slice();
            let message = self.reader.read(&mut input)?;
            let unread = input.len();
            self.pending.drain(..self.pending.len() - unread);
            if let Some(message) = message {
                if message.message_type == message_type::SET_CHUNK_SIZE
                    && let Some(size) = message.body.first_chunk()
                {
                    self.reader.set_chunk_size(u32::from_be_bytes(*size))?;
                }
                return Ok(Some(message));
            }
            let socket = &mut self.socket;
            let read = async {
                match socket.read(&mut buffer).await {
                    Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Ok(0),
                    read => Ok(read?),
                }
            };
            match within("the server sends something", read).await? {
                0 => return Ok(None),
                n => self.pending.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            }
        }
    }

    /// The next command and its message stream; passes over other messages.
    ///
    /// # Errors
    /// [`Error::Closed`], or nothing comes.
    pub async fn next_command(&mut self) -> Result<(u32, Command), Error> {
        loop {
            let message = self.next().await?.ok_or(Error::Closed)?;
            if message.message_type != message_type::COMMAND_AMF0 {
                continue;
            }
            let limits = amf0::Limits::default();
            let command = Command::decode(&message.body, &limits).map_err(rtmp::Error::from)?;
            let command = command.unwrap_or_else(|| panic!("a command without a name"));
            return Ok((message.message_stream_id, command));
        }
    }

    /// The next status: its message stream and its code; passes over other messages.
    ///
    /// # Errors
    /// [`Error::Closed`], or nothing comes.
    pub async fn next_status(&mut self) -> Result<(u32, String), Error> {
        loop {
            let (stream, command) = self.next_command().await?;
            if command.name == "onStatus" {
                return Ok((stream, text(&command, "code")));
            }
        }
    }

    /// The result of a call; passes over other messages.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the answer is an error.
    pub async fn result(&mut self, transaction: f64) -> Result<Command, Error> {
        loop {
            let (_, command) = self.next_command().await?;
            match command.name.as_str() {
                "_result" if command.transaction_id == transaction => return Ok(command),
                "_error" if command.transaction_id == transaction => return Err(refused(&command)),
                _ => {}
            }
        }
    }

    async fn granted(&mut self, code: &str) -> Result<(), Error> {
        loop {
            let (_, command) = self.next_command().await?;
            if command.name != "onStatus" {
                continue;
            }
            if text(&command, "code") == code {
                return Ok(());
            }
            if text(&command, "level") == "error" {
                return Err(refused(&command));
            }
        }
    }

    /// Waits until the server has read everything that was sent; passes over what it sends.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&mut self) -> Result<(), Error> {
        // User control events 6 and 7: ping request and response (RTMP 7.1.7).
        let body = Bytes::from_static(&[0, 6, 0, 0, 0, 1]);
        let response = [0, 7, 0, 0, 0, 1];
        self.send(&Message {
            chunk_stream_id: 2,
            message_stream_id: 0,
            message_type: message_type::USER_CONTROL,
            timestamp: 0,
            body,
        })
        .await?;
        loop {
            let message = self.next().await?.ok_or(Error::Closed)?;
            if message.message_type == message_type::USER_CONTROL && message.body == response[..] {
                return Ok(());
            }
        }
    }

    /// Waits until the server closes the connection; passes over what it sends.
    ///
    /// # Errors
    /// When it does not.
    pub async fn closed(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + DEADLINE;
        let mut buffer = vec![0; READ_BYTES];
        let socket = &mut self.socket;
        let closed = async {
            while Instant::now() < deadline {
                // However it went.
                if matches!(socket.read(&mut buffer).await, Ok(0) | Err(_)) {
                    return Ok(());
                }
            }
            Err(Error::Timeout("the server closes the connection"))
        };
        within("the server closes the connection", closed).await
    }

    /// The socket: to close it otherwise than by dropping it, to leave it alone.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }
}

fn text(command: &Command, name: &str) -> String {
    let info = command.argument(0);
    info.property(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn refused(command: &Command) -> Error {
    Error::Rejected { code: text(command, "code"), description: text(command, "description") }
}
