//! A plain HTTP client that sends exactly what a test says, one connection a request.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long is waited for anything that a server should do: long enough for a machine that has much else to do.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A server, and what is sent with each request.
#[derive(Debug, Clone)]
pub struct Http {
    addr: SocketAddr,
    headers: Vec<(String, String)>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body; of events what had arrived when it was read.
    pub body: Vec<u8>,
}

/// An answer whose body arrives bit by bit.
#[derive(Debug)]
pub struct Events {
    /// Status and headers.
    pub head: Answer,
    socket: BufReader<TcpStream>,
    text: String,
}

/// The body of an answer that has no length, as it arrives. Reading it fails when it is cut off.
#[derive(Debug)]
pub struct Body {
    /// Status and headers.
    pub head: Answer,
    socket: BufReader<TcpStream>,
    chunk: Vec<u8>,
    read: usize,
    ended: bool,
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() && !self.ended {
            self.chunk.clear();
            self.read = 0;
            match chunk(&mut self.socket, &mut self.chunk) {
                Some(0) => self.ended = true,
                Some(_) => {}
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let rest = self.chunk.get(self.read..).unwrap_or_default();
        let n = rest.len().min(into.len());
        if let (Some(into), Some(rest)) = (into.get_mut(..n), rest.get(..n)) {
            into.copy_from_slice(rest);
        }
        self.read += n;
        Ok(n)
    }
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    /// Where a client would go on.
    pub id: String,
    /// Its type.
    pub event: String,
    /// What it says.
    pub data: String,
}

impl Event {
    /// What it says.
    ///
    /// # Panics
    /// When that is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("{e}: {}", self.data))
    }
}

impl Http {
    /// A client of the server at `addr`.
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, headers: vec![("Host".to_owned(), addr.to_string())] }
    }

    /// Sends this header as well, or another value of it.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends no such header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sends a token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Asks for a path.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    /// Sends JSON, if any.
    ///
    /// # Panics
    /// When there is no answer, or not all of it.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.try_send(method, path, body).unwrap_or_else(|e| panic!("no body: {e}"))
    }

    /// The same.
    ///
    /// # Errors
    /// What keeps the body from being read whole.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn try_send(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Answer> {
        let mut client = self.clone().header("Connection", "close");
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            client = client.header("Content-Type", "application/json");
            client = client.header("Content-Length", &body.len().to_string());
        }
        client.try_raw(format!("{}{body}", client.head(method, path)).as_bytes())
    }

    /// The head of a request.
    pub fn head(&self, method: &str, path: &str) -> String {
        let lines = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{method} {path} HTTP/1.1\r\n{}\r\n", lines.collect::<String>())
    }

    /// Sends bytes, and reads one answer.
    ///
    /// # Panics
    /// When there is none, or not all of it.
    pub fn raw(&self, bytes: &[u8]) -> Answer {
        self.try_raw(bytes).unwrap_or_else(|e| panic!("no body: {e}"))
    }

    fn try_raw(&self, bytes: &[u8]) -> io::Result<Answer> {
        let mut socket = BufReader::new(self.connect());
        // A server may answer, and hang up, before it has read everything.
        let _ = socket.get_mut().write_all(bytes);
        let mut answer = read_head(&mut socket);
        if bytes.starts_with(b"HEAD ") {
            return Ok(answer);
        }
        if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap_or_else(|_| panic!("a length is no number"));
            answer.body.resize(length, 0);
            socket.read_exact(&mut answer.body)?;
        } else if answer.header("transfer-encoding").as_deref() == Some("chunked") {
            while read_chunk(&mut socket, &mut answer.body) {}
        }
        Ok(answer)
    }

    /// A connection to the server.
    ///
    /// # Panics
    /// When it does not take it.
    pub fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect_timeout(&self.addr, DEADLINE);
        let socket = socket.unwrap_or_else(|e| panic!("cannot connect: {e}"));
        socket.set_read_timeout(Some(DEADLINE)).unwrap_or_else(|e| panic!("{e}"));
        socket
    }

    /// Asks for a path, and leaves the body to be read.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn open(&self, path: &str) -> Body {
        self.open_over(self.connect(), path)
    }

    /// The same over a connection of the caller's.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn open_over(&self, socket: TcpStream, path: &str) -> Body {
        let mut socket = BufReader::new(socket);
        let sent = socket.get_mut().write_all(self.head("GET", path).as_bytes());
        sent.unwrap_or_else(|e| panic!("cannot send: {e}"));
        let head = read_head(&mut socket);
        Body { head, socket, chunk: Vec::new(), read: 0, ended: false }
    }

    /// Reads events.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn events(&self, path: &str) -> Events {
        let mut socket = BufReader::new(self.connect());
        let sent = socket.get_mut().write_all(self.head("GET", path).as_bytes());
        sent.unwrap_or_else(|e| panic!("cannot send: {e}"));
        Events { head: read_head(&mut socket), socket, text: String::new() }
    }
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<String> {
        let known = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, value)| value.clone())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.text()))
    }

    /// The answer of a call that worked.
    ///
    /// # Panics
    /// When it did not.
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {}", self.status, self.text());
        self.json()
    }

    /// The status and the code of a refusal.
    ///
    /// # Panics
    /// When it is none, or not written as one.
    pub fn problem(&self) -> (u16, String) {
        let kind = self.header("content-type");
        assert_eq!(kind.as_deref(), Some("application/problem+json"), "{}", self.text());
        let body = self.json();
        let status = body.get("status").and_then(Value::as_u64);
        assert_eq!(status, Some(self.status.into()), "{body}");
        let code = body.get("code").and_then(Value::as_str).unwrap_or_default();
        (self.status, code.to_owned())
    }
}

impl Events {
    /// The next event; comments are passed over.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn next_event(&mut self) -> Event {
        self.try_next().unwrap_or_else(|| panic!("the events ended"))
    }

    /// The next event of this type.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn wait_for(&mut self, kind: &str) -> Event {
        loop {
            let event = self.next_event();
            if event.event == kind {
                return event;
            }
        }
    }

    /// The next event, or `None` when the server has ended them.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            let Some((block, rest)) = self.text.split_once("\n\n") else {
                let mut chunk = Vec::new();
                if !read_chunk(&mut self.socket, &mut chunk) {
                    return None;
                }
                self.text.push_str(&String::from_utf8_lossy(&chunk));
                continue;
            };
            let mut event = Event::default();
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("id", value)) => value.clone_into(&mut event.id),
                    Some(("event", value)) => value.clone_into(&mut event.event),
                    Some(("data", value)) => event.data.push_str(value),
                    _ => {}
                }
            }
            self.text = rest.to_owned();
            if event != Event::default() {
                return Some(event);
            }
        }
    }
}

fn read_head(socket: &mut BufReader<TcpStream>) -> Answer {
    let mut line = String::new();
    let mut next = || {
        line.clear();
        socket.read_line(&mut line).unwrap_or_else(|e| panic!("no answer: {e}"));
        line.trim_end().to_owned()
    };
    let first = next();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {first:?}"));
    let mut headers = Vec::new();
    loop {
        let line = next();
        match line.split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => return Answer { status, headers, body: Vec::new() },
        }
    }
}

/// Reads one chunk; `false` for the last one, or when there is no more.
fn read_chunk(socket: &mut BufReader<TcpStream>, into: &mut Vec<u8>) -> bool {
    chunk(socket, into).is_some_and(|length| length > 0)
}

/// Reads one chunk, of this length, of which the last has none; `None` when there is no more.
fn chunk(socket: &mut BufReader<TcpStream>, into: &mut Vec<u8>) -> Option<usize> {
    let mut line = String::new();
    match socket.read_line(&mut line) {
        Ok(0) => return None,
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
        Err(error) => panic!("no chunk: {error}"),
    }
    let length = usize::from_str_radix(line.trim_end(), 16);
    let length = length.unwrap_or_else(|_| panic!("not the length of a chunk: {line:?}"));
    let mut chunk = vec![0; length + 2];
    socket.read_exact(&mut chunk).unwrap_or_else(|e| panic!("half a chunk: {e}"));
    chunk.truncate(length);
    into.extend(chunk);
    Some(length)
}
