//! What a guest's screen shows: colour bars, a mark at the pointer, and a bar that grows with every
//! key.

use super::pixels::{Colour, PixelFormat};
use tokio::sync::watch;

/// The screen of a guest, which its viewers share.
pub(in crate::backend::sim) type Screen = watch::Sender<Scene>;

/// The size of the screen, in pixels.
pub(super) const WIDTH: u16 = 320;
pub(super) const HEIGHT: u16 = 200;

/// The bars, from the left.
const BARS: [Colour; 8] = [
    [255, 255, 255],
    [255, 255, 0],
    [0, 255, 255],
    [0, 255, 0],
    [255, 0, 255],
    [255, 0, 0],
    [0, 0, 255],
    [0, 0, 0],
];

const BAR_WIDTH: u16 = 40;

/// The bar of the keys is at the bottom.
const KEYS_TOP: u16 = 180;

/// How much the bar grows with a key; when it is full, it begins again.
const KEY_WIDTH: u16 = 8;

const KEYS_COLOUR: Colour = [255, 128, 0];

const BELOW_KEYS: Colour = [64, 64, 64];

/// How far the mark of the pointer reaches from its middle.
const MARK_REACH: u16 = 3;

const MARK: Colour = [128, 128, 128];

/// The mark while a button is pressed.
const MARK_PRESSED: Colour = [255, 64, 128];

/// A part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) width: u16,
    pub(super) height: u16,
}

impl Area {
    /// The whole screen.
    pub(super) const SCREEN: Self = Self { x: 0, y: 0, width: WIDTH, height: HEIGHT };

    /// The part of it that is on the screen; `None` if nothing is.
    pub(super) fn on_screen(self) -> Option<Self> {
        let width = WIDTH.checked_sub(self.x)?.min(self.width);
        let height = HEIGHT.checked_sub(self.y)?.min(self.height);
        (width > 0 && height > 0).then_some(Self { width, height, ..self })
    }
}

/// What a screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::backend::sim) struct Scene {
    pointer: (u16, u16),
    is_pressed: bool,
    /// The length of the bar, in keys.
    keys: u16,
}

impl Default for Scene {
    fn default() -> Self {
        Self { pointer: (WIDTH / 2, HEIGHT / 2), is_pressed: false, keys: 0 }
    }
}

impl Scene {
    /// A key is pressed.
    pub(super) fn press_key(&mut self) {
        self.keys = (self.keys + 1) % (WIDTH / KEY_WIDTH + 1);
    }

    /// The pointer is moved to a place, with these buttons pressed.
    pub(super) fn point(&mut self, x: u16, y: u16, buttons: u8) {
        self.pointer = (x.min(WIDTH - 1), y.min(HEIGHT - 1));
        self.is_pressed = buttons != 0;
    }

    fn colour(self, x: u16, y: u16) -> Colour {
        let (px, py) = self.pointer;
        if x.abs_diff(px) <= MARK_REACH && y.abs_diff(py) <= MARK_REACH {
            return if self.is_pressed { MARK_PRESSED } else { MARK };
        }
        if y >= KEYS_TOP {
            return if x < self.keys * KEY_WIDTH { KEYS_COLOUR } else { BELOW_KEYS };
        }
        BARS.get(usize::from(x / BAR_WIDTH)).copied().unwrap_or_default()
    }

    /// Appends the pixels of an area, row by row.
    pub(super) fn draw(self, area: Area, format: PixelFormat, pixels: &mut Vec<u8>) {
        for y in area.y..area.y.saturating_add(area.height) {
            for x in area.x..area.x.saturating_add(area.width) {
                format.push(pixels, self.colour(x, y));
            }
        }
    }

    /// The areas in which the screen differs from an earlier one.
    pub(super) fn changes_since(self, earlier: Self) -> Vec<Area> {
        let mut areas = Vec::new();
        if (self.pointer, self.is_pressed) != (earlier.pointer, earlier.is_pressed) {
            areas.extend([earlier.mark(), self.mark()].into_iter().filter_map(Area::on_screen));
        }
        if self.keys != earlier.keys {
            let height = HEIGHT - KEYS_TOP;
            areas.push(Area { x: 0, y: KEYS_TOP, width: WIDTH, height });
        }
        areas
    }

    fn mark(self) -> Area {
        let (x, y) = self.pointer;
        let size = 2 * MARK_REACH + 1;
        let x = x.saturating_sub(MARK_REACH);
        let y = y.saturating_sub(MARK_REACH);
        Area { x, y, width: size, height: size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(scene: Scene) -> Vec<u8> {
        let mut pixels = Vec::new();
        scene.draw(Area::SCREEN, PixelFormat::OWN, &mut pixels);
        pixels
    }

    #[test]
    fn the_changes_are_all_that_changes() {
        let mut scene = Scene::default();
        let steps: [fn(&mut Scene); 6] = [
            Scene::press_key,
            |scene| scene.point(0, 0, 0),
            |scene| scene.point(u16::MAX, u16::MAX, 1),
            |scene| scene.point(319, 199, 0),
            |scene| (0..40).for_each(|_| scene.press_key()),
            |scene| scene.point(300, 181, 4),
        ];
        for (number, step) in steps.iter().enumerate() {
            let before = scene;
            step(&mut scene);
            let mut shown = pixels(before);
            for area in scene.changes_since(before) {
                assert_eq!(area.on_screen(), Some(area));
                let mut new = Vec::new();
                scene.draw(area, PixelFormat::OWN, &mut new);
                let width = usize::from(area.width) * 4;
                for (row, y) in new.chunks(width).zip(area.y..) {
                    let at = (usize::from(y) * usize::from(WIDTH) + usize::from(area.x)) * 4;
                    shown[at..at + width].copy_from_slice(row);
                }
            }
            assert!(shown == pixels(scene), "step {number}");
            assert!(shown != pixels(before), "step {number}");
        }
        assert!(scene.changes_since(scene).is_empty());
    }

    #[test]
    fn areas_are_cut_to_the_screen() {
        let area = |x, y, width, height| Area { x, y, width, height }.on_screen();
        assert_eq!(area(0, 0, u16::MAX, u16::MAX), Some(Area::SCREEN));
        assert_eq!(area(319, 199, 9, 9), Some(Area { x: 319, y: 199, width: 1, height: 1 }));
        for (x, y, width, height) in
            [(320, 0, 1, 1), (0, 200, 1, 1), (u16::MAX, 0, 9, 9), (5, 5, 0, 1)]
        {
            assert_eq!(area(x, y, width, height), None);
        }
    }
}
