//! Addresses of streams: `rtmp://[user@]host[:port]/app[/instance]/name[?query]`.

/// The port when none is named.
pub const DEFAULT_PORT: u16 = 1935;

/// Where a stream is. The split between application and name is FFmpeg's: the last element of the
/// path is the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Name or address of the host, IPv6 without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The application, with its instance if there is one.
    pub app: String,
    /// The name, with its query, which servers take for credentials and the like.
    pub name: String,
}

/// What is wrong with an address, and what was expected. The address itself may hold secrets and is
/// left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not `rtmp://`.
    #[error("expected an address that begins with rtmp://")]
    Scheme,
    /// A scheme of RTMP's family that is encrypted or tunnelled.
    #[error("only plain rtmp:// is supported, not rtmps, rtmpe or rtmpt")]
    Variant,
    /// Nothing between `//` and `/`.
    #[error("expected a host after rtmp://, as in rtmp://localhost/live/test")]
    Host,
    /// `[` without `]`, or something else than a port behind it.
    #[error("expected an IPv6 address in brackets, as in rtmp://[::1]:1935/live/test")]
    Ipv6,
    /// Not a number from 1 to 65535.
    #[error(
        "expected a port from 1 to 65535 after the host, as in rtmp://localhost:1935/live/test"
    )]
    Port,
    /// No application or no name.
    #[error("expected an application and a name after the host, as in rtmp://localhost/live/test")]
    Path,
}

impl Url {
    /// Reads an address. Credentials before the host are dropped: plain RTMP has no place for them.
    ///
    /// # Errors
    /// [`UrlError`] says what was expected.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "rtmp" => {}
            "rtmps" | "rtmpe" | "rtmpt" | "rtmpte" | "rtmpts" => return Err(UrlError::Variant),
            _ => return Err(UrlError::Scheme),
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = host_and_port(authority)?;
        // A query may hold slashes of its own.
        let (path, query) = match path.find('?') {
            Some(at) => path.split_at(at),
            None => (path, ""),
        };
        let (app, name) = path.trim_start_matches('/').rsplit_once('/').ok_or(UrlError::Path)?;
        let app = app.trim_end_matches('/');
        if app.is_empty() || name.is_empty() {
            return Err(UrlError::Path);
        }
        let name = format!("{name}{query}");
        Ok(Self { host: host.to_owned(), port, app: app.to_owned(), name })
    }

    /// The same stream behind another `tcUrl`.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn at(&self, tc_url: &str) -> Result<Self, UrlError> {
        // A query there is the application's, and may hold slashes.
        let (place, query) = tc_url.split_at(tc_url.find('?').unwrap_or(tc_url.len()));
        let url = Self::parse(&format!("{}/{}", place.trim_end_matches('/'), self.name))?;
        Ok(Self { app: format!("{}{query}", url.app), ..url })
    }

    /// The `tcUrl` of `connect`: the address as far as the application.
    pub fn tc_url(&self) -> String {
        let Self { host, port, app, .. } = self;
        match host.contains(':') {
            true => format!("rtmp://[{host}]:{port}/{app}"),
            false => format!("rtmp://{host}:{port}/{app}"),
        }
    }
}

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

/// The URL that `reference` means for a connection to `tc_url`: itself when it has a scheme, else
/// resolved as RFC 3986 5.2 says, without removing dots. An empty one means the same place.
pub fn resolve(tc_url: &str, reference: &str) -> String {
    let reference = reference.trim();
    let is_scheme = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    let has_scheme = reference.split_once(':').is_some_and(|(scheme, _)| is_scheme(scheme));
    let Some((scheme, rest)) = tc_url.split_once("://").filter(|_| !has_scheme) else {
        return if reference.is_empty() { tc_url } else { reference }.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let path_end = path.find(['?', '#']).unwrap_or(path.len());
    let path = path.get(..path_end).unwrap_or_default();
    match reference.as_bytes() {
        [] => tc_url.to_owned(),
        [b'/', b'/', ..] => format!("{scheme}:{reference}"),
        [b'/', ..] => format!("{scheme}://{authority}{reference}"),
        [b'?' | b'#', ..] => format!("{scheme}://{authority}{path}{reference}"),
        _ => {
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            format!("{scheme}://{authority}{dir}/{reference}")
        }
    }
}

fn host_and_port(authority: &str) -> Result<(&str, u16), UrlError> {
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(UrlError::Ipv6)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| UrlError::Ipv6)?;
            match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if port.is_empty() => (host, None),
                None => return Err(UrlError::Ipv6),
            }
        }
        None => match address.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(UrlError::Ipv6),
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() {
        return Err(UrlError::Host);
    }
    let port = match port {
        // `u16` would take a sign.
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(UrlError::Port),
        },
        Some(_) => return Err(UrlError::Port),
        None => DEFAULT_PORT,
    };
    Ok((host, port))
}

#[cfg(test)]
mod tests;
