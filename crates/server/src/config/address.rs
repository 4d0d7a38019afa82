//! Where the server listens.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// Where to listen: `HOST:PORT`, or `:PORT` for all addresses, IPv6 and IPv4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// `None` for all addresses.
    host: Option<String>,
    port: u16,
}

impl ListenAddress {
    /// The socket addresses behind it. Takes the resolver's time for a host name.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match &self.host {
            None => Ok(vec![(Ipv6Addr::UNSPECIFIED, self.port).into()]),
            Some(host) => Ok((host.as_str(), self.port).to_socket_addrs()?.collect()),
        }
    }

    /// The same on another port.
    #[must_use]
    pub(crate) fn with_port(&self, port: u16) -> Self {
        Self { host: self.host.clone(), port }
    }

    /// Whether IPv4 is to be tried where the machine has no IPv6.
    pub(crate) fn fallback(&self) -> Option<SocketAddr> {
        self.host.is_none().then(|| (Ipv4Addr::UNSPECIFIED, self.port).into())
    }
}

impl ListenAddress {
    /// Whether it is reached from this machine alone. A name other than `localhost` is taken for one
    /// that is not: who it is may change.
    pub fn is_loopback(&self) -> bool {
        let Some(host) = &self.host else { return false };
        match host.parse::<IpAddr>() {
            Ok(ip) => ip.to_canonical().is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// The port; 0 for a free one.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "expected HOST:PORT, for example :1935, localhost:1935 or [::]:1935";
        let (host, port) = text.rsplit_once(':').ok_or(form)?;
        // `u16` would take a sign.
        let port = match port.parse() {
            Ok(number) if port.starts_with(|c: char| c.is_ascii_digit()) => number,
            _ => return Err(format!("the port is not 0 to 65535; {form}")),
        };
        let host = match host.strip_prefix('[') {
            Some(v6) => {
                let v6 = v6.strip_suffix(']').ok_or(form)?;
                v6.parse::<Ipv6Addr>().map_err(|_| format!("not an IPv6 address; {form}"))?;
                Some(v6.to_owned())
            }
            None if host.contains([':', '/', ' ']) => return Err(form.to_owned()),
            None => Some(host.to_owned()).filter(|h| !h.is_empty()),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            None => write!(f, ":{}", self.port),
            Some(host) => match host.parse::<IpAddr>() {
                Ok(ip) => write!(f, "{}", SocketAddr::new(ip, self.port)),
                Err(_) => write!(f, "{host}:{}", self.port),
            },
        }
    }
}

/// Where the HTTP API listens, and whether anybody asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpListen {
    /// Nowhere.
    Off,
    /// Nobody said where: if the port is taken, the next free one is as good.
    Default(ListenAddress),
    /// Somebody said so: a port that is taken is an error.
    Asked(ListenAddress),
}

impl HttpListen {
    /// The address; `None` when there is no API.
    pub fn address(&self) -> Option<&ListenAddress> {
        match self {
            Self::Off => None,
            Self::Default(address) | Self::Asked(address) => Some(address),
        }
    }

    /// The same, now that it is known that nobody asked.
    pub(crate) fn unasked(self) -> Self {
        match self {
            Self::Asked(address) => Self::Default(address),
            other => other,
        }
    }
}

impl FromStr for HttpListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::Asked).map_err(|error| format!("{error}; or off")),
        }
    }
}

impl fmt::Display for HttpListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            None => f.write_str("off"),
            Some(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
