//! The format in which a client wants its pixels (RFC 6143, 7.4).

use std::fmt;

/// The length of a pixel format on the wire.
pub(super) const FORMAT_LENGTH: usize = 16;

/// A colour: red, green, blue.
pub(super) type Colour = [u8; 3];

/// A pixel format with true colours; there is no colour map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PixelFormat {
    size: PixelSize,
    is_big_endian: bool,
    /// Red, green, blue.
    channels: [Channel; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PixelSize {
    Bits8,
    Bits16,
    Bits32,
}

/// Where in a pixel a colour is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Channel {
    max: u16,
    shift: u8,
}

/// The format is none that this screen can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnknownFormat;

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The pixel format is not one of true colours in 8, 16 or 32 bits")
    }
}

impl PixelFormat {
    /// The screen's own: 32 bits of blue, green, red and nothing.
    pub(super) const OWN: Self = Self {
        size: PixelSize::Bits32,
        is_big_endian: false,
        channels: [
            Channel { max: 255, shift: 16 },
            Channel { max: 255, shift: 8 },
            Channel { max: 255, shift: 0 },
        ],
    };

    /// Reads a format of a client.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, UnknownFormat> {
        let &[bits, _depth, big_endian, true_colours, ref rest @ ..] = bytes else {
            return Err(UnknownFormat);
        };
        let &[r1, r0, g1, g0, b1, b0, red, green, blue, _, _, _] = rest else {
            return Err(UnknownFormat);
        };
        let size = match bits {
            8 => PixelSize::Bits8,
            16 => PixelSize::Bits16,
            32 => PixelSize::Bits32,
            _ => return Err(UnknownFormat),
        };
        let channel = |max: [u8; 2], shift| Channel { max: u16::from_be_bytes(max), shift };
        let channels = [channel([r1, r0], red), channel([g1, g0], green), channel([b1, b0], blue)];
        if true_colours == 0 || channels.iter().any(|channel| channel.shift >= bits) {
            return Err(UnknownFormat);
        }
        Ok(Self { size, is_big_endian: big_endian != 0, channels })
    }

    pub(super) fn encode(self) -> [u8; FORMAT_LENGTH] {
        let [red, green, blue] = self.channels;
        let max = |channel: Channel| channel.max.to_be_bytes();
        let ([r1, r0], [g1, g0], [b1, b0]) = (max(red), max(green), max(blue));
        let (bits, depth) = match self.size {
            PixelSize::Bits8 => (8, 8),
            PixelSize::Bits16 => (16, 16),
            PixelSize::Bits32 => (32, 24),
        };
        let shifts = [red.shift, green.shift, blue.shift];
        let order = self.is_big_endian.into();
        let [s0, s1, s2] = shifts;
        [bits, depth, order, 1, r1, r0, g1, g0, b1, b0, s0, s1, s2, 0, 0, 0]
    }

    /// Appends a pixel.
    pub(super) fn push(self, pixels: &mut Vec<u8>, colour: Colour) {
        let value = self.channels.iter().zip(colour).fold(0, |value, (channel, part)| {
            let part = u32::from(part) * u32::from(channel.max) / 255;
            value | part.checked_shl(channel.shift.into()).unwrap_or_default()
        });
        let [b3, b2, b1, b0] = value.to_be_bytes();
        match (self.size, self.is_big_endian) {
            (PixelSize::Bits8, _) => pixels.push(b0),
            (PixelSize::Bits16, true) => pixels.extend([b1, b0]),
            (PixelSize::Bits16, false) => pixels.extend([b0, b1]),
            (PixelSize::Bits32, true) => pixels.extend([b3, b2, b1, b0]),
            (PixelSize::Bits32, false) => pixels.extend([b0, b1, b2, b3]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixel(format: [u8; FORMAT_LENGTH], colour: Colour) -> Vec<u8> {
        let mut pixels = Vec::new();
        PixelFormat::decode(&format).unwrap().push(&mut pixels, colour);
        pixels
    }

    #[test]
    fn a_colour_has_the_size_and_the_order_of_the_format() {
        let rgb565 = |order| [16, 16, order, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0];
        let bgr233 = [8, 8, 0, 1, 0, 7, 0, 7, 0, 3, 0, 3, 6, 0, 0, 0];
        let mut own = PixelFormat::OWN.encode();
        assert_eq!(pixel(own, [1, 2, 3]), [3, 2, 1, 0]);
        own[2] = 1;
        assert_eq!(pixel(own, [1, 2, 3]), [0, 1, 2, 3]);
        assert_eq!(pixel(rgb565(1), [255, 0, 255]), [0xf8, 0x1f]);
        assert_eq!(pixel(rgb565(0), [255, 0, 255]), [0x1f, 0xf8]);
        assert_eq!(pixel(bgr233, [255, 0, 255]), [0b1100_0111]);
    }

    #[test]
    fn formats_are_read_and_written() {
        let own = PixelFormat::OWN.encode();
        assert_eq!(PixelFormat::decode(&own), Ok(PixelFormat::OWN));
        for (at, byte) in [(0, 24), (0, 0), (3, 0), (10, 32), (12, 255)] {
            let mut format = own;
            format[at] = byte;
            assert_eq!(PixelFormat::decode(&format), Err(UnknownFormat), "{at}: {byte}");
        }
    }
}
