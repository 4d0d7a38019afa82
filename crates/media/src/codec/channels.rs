//! Which speaker each channel is for, as Enhanced RTMP tells it beside the codec (E-RTMP v2
//! "Enhanced Audio", `MultichannelConfig`).

use crate::flv::Malformed;

/// A layout of channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelLayout {
    /// How many there are.
    pub channels: u8,
    /// Which they are.
    pub order: ChannelOrder,
}

/// What is told of the order of channels (`AudioChannelOrder`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelOrder {
    /// Nothing.
    Unspecified,
    /// Those of a mask are there, in the order of [`Channel`] (`AudioChannelMask`).
    Native {
        /// One bit for each channel, the lowest for [`Channel`] 0.
        mask: u32,
    },
    /// One channel after the other.
    Custom(Vec<Channel>),
    /// A reserved order, of which the rest cannot be read.
    Unknown(u8),
}

/// What a channel is for (`AudioChannel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel(pub u8);

impl Channel {
    /// It is empty.
    pub const UNUSED: Self = Self(0xFE);
    /// Nobody knows.
    pub const UNKNOWN: Self = Self(0xFF);

    /// The name that audio programs use: `FL`, `LFE`; `?` for reserved values.
    pub fn name(self) -> &'static str {
        const NAMES: [&str; 24] = [
            "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL",
            "TFC", "TFR", "TBL", "TBC", "TBR", "LFE2", "TSL", "TSR", "BFC", "BFL", "BFR",
        ];
        match self {
            Self::UNUSED => "unused",
            Self::UNKNOWN => "unknown",
            Self(number) => NAMES.get(usize::from(number)).copied().unwrap_or("?"),
        }
    }
}

impl ChannelLayout {
    /// Reads the body of a `MultichannelConfig`. What stands behind it is passed over.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    pub fn read(data: &[u8]) -> Result<Self, Malformed> {
        const CUT: Malformed = Malformed::Truncated("channel layout");
        let (&[order, channels], rest) = data.split_first_chunk::<2>().ok_or(CUT)?;
        let order = match order {
            0 => ChannelOrder::Unspecified,
            1 => {
                let (mask, _) = rest.split_first_chunk::<4>().ok_or(CUT)?;
                ChannelOrder::Native { mask: u32::from_be_bytes(*mask) }
            }
            2 => {
                let map = rest.get(..usize::from(channels)).ok_or(CUT)?;
                ChannelOrder::Custom(map.iter().copied().map(Channel).collect())
            }
            other => ChannelOrder::Unknown(other),
        };
        Ok(Self { channels, order })
    }

    /// The channels in their order; none where that is not told.
    pub fn map(&self) -> Vec<Channel> {
        match &self.order {
            ChannelOrder::Unspecified | ChannelOrder::Unknown(_) => Vec::new(),
            ChannelOrder::Native { mask } => {
                (0..32).filter(|bit| mask & (1 << bit) != 0).map(Channel).collect()
            }
            ChannelOrder::Custom(map) => map.clone(),
        }
    }

    /// The name of a usual layout: `5.1`.
    pub fn name(&self) -> Option<&'static str> {
        let ChannelOrder::Native { mask } = self.order else { return None };
        Some(match mask {
            0x00_0004 => "mono",
            0x00_0003 => "stereo",
            0x00_000B => "2.1",
            0x00_0007 => "3.0",
            0x00_0033 | 0x00_0603 => "quad",
            0x00_0037 | 0x00_0607 => "5.0",
            0x00_003F | 0x00_060F => "5.1",
            0x00_063F => "7.1",
            0x02_D63F => "7.1.4",
            0xFF_FFFF => "22.2",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
