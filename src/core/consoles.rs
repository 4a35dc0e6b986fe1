//! Consoles of guests that are open.
//!
//! A console is opened once, however many viewers it has: all of them get the same output, and the
//! guest gets what any of them types. It closes when the last viewer leaves.

use super::error::Error;
use super::model::DomId;
use super::ports::{CONSOLE_TAIL, GuestStream, Hypervisor, OpenConsole};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The most bytes of output that are passed on in one piece.
const PIECE: usize = 8 << 10;

/// How many pieces of output a viewer may be behind.
const MAX_BEHIND: usize = 128;

/// How many inputs may wait for a guest.
const MAX_INPUTS: usize = 16;

/// All consoles that are open, by domid.
#[derive(Default)]
pub(super) struct Consoles(Mutex<HashMap<DomId, Slot>>);

/// The place of a console. Its lock is held while the console is opened.
type Slot = Arc<tokio::sync::Mutex<Weak<Shared>>>;

impl Consoles {
    /// One more viewer of a guest's console, which is opened if it has none.
    pub(super) async fn view(
        &self,
        hypervisor: &dyn Hypervisor,
        domid: DomId,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Result<ConsoleViewer, Error> {
        let slot = self.slot(domid);
        let mut slot = slot.lock().await;
        if let Some(viewer) = slot.upgrade().and_then(ConsoleViewer::of) {
            return Ok(viewer);
        }
        let OpenConsole { recent, stream } = hypervisor.open_console(domid).await?;
        let (input, inputs) = mpsc::channel(MAX_INPUTS);
        let (output, _) = broadcast::channel(MAX_BEHIND);
        let output = Output { recent: VecDeque::from(recent), pieces: Some(output) };
        let shared = Arc::new(Shared { output: Arc::new(Mutex::new(output)), input });
        let viewer = ConsoleViewer::of(Arc::clone(&shared));
        let output = Arc::clone(&shared.output);
        let stopping = stopping.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = serve(stream, &output, inputs) => {}
                () = stopping.cancelled() => {}
            }
            lock(&output).pieces = None;
        });
        *slot = Arc::downgrade(&shared);
        viewer.ok_or_else(|| Error::Gone(domid.to_string()))
    }

    fn slot(&self, domid: DomId) -> Slot {
        let mut slots = lock(&self.0);
        // A console that is open, or is being opened, has others who know its place.
        slots.retain(|_, slot| {
            let is_open = slot.try_lock().is_ok_and(|console| console.strong_count() > 0);
            is_open || Arc::strong_count(slot) > 1
        });
        Arc::clone(slots.entry(domid).or_default())
    }
}

/// A console that is open.
struct Shared {
    output: Arc<Mutex<Output>>,
    input: mpsc::Sender<Bytes>,
}

/// The output of a console.
struct Output {
    /// The end of it, at most [`CONSOLE_TAIL`] bytes.
    recent: VecDeque<u8>,
    /// To the viewers; `None` after the end.
    pieces: Option<broadcast::Sender<Bytes>>,
}

impl Output {
    fn add(&mut self, piece: Bytes) {
        self.recent.extend(&piece);
        let excess = self.recent.len().saturating_sub(CONSOLE_TAIL);
        self.recent.drain(..excess);
        if let Some(pieces) = &self.pieces {
            // Without a viewer, the console is about to close.
            let _ = pieces.send(piece);
        }
    }

    fn recent(&self) -> Bytes {
        self.recent.iter().copied().collect()
    }
}

/// Passes on output and input until the guest or the last viewer is gone.
async fn serve(
    stream: Box<dyn GuestStream>,
    output: &Mutex<Output>,
    mut inputs: mpsc::Receiver<Bytes>,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let read = async {
        let mut piece = vec![0; PIECE];
        while let Ok(count @ 1..) = reader.read(&mut piece).await {
            lock(output).add(Bytes::copy_from_slice(&piece[..count]));
        }
    };
    let write = async {
        while let Some(input) = inputs.recv().await {
            writer.write_all(&input).await?;
            writer.flush().await?;
        }
        io::Result::Ok(())
    };
    tokio::select! {
        () = read => {}
        _ = write => {}
    }
}

/// Why a viewer gets no more output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleEnd {
    /// The console has closed: the domain is gone.
    Closed,
    /// The viewer did not keep up, and has lost output.
    TooSlow,
}

/// A viewer of a console, who may type, too.
pub struct ConsoleViewer {
    /// The end of the output until now.
    pub recent: Bytes,
    /// The output from now on.
    pub output: ConsoleOutput,
    /// The input.
    pub keyboard: ConsoleKeyboard,
}

impl ConsoleViewer {
    /// A viewer of an open console; `None` if it has ended.
    fn of(shared: Arc<Shared>) -> Option<Self> {
        let output = lock(&shared.output);
        // Under one lock: the viewer misses nothing, and gets nothing twice.
        let recent = output.recent();
        let pieces = output.pieces.as_ref()?.subscribe();
        drop(output);
        Some(Self { recent, output: ConsoleOutput(pieces), keyboard: ConsoleKeyboard(shared) })
    }
}

/// The output of a console, for one viewer.
pub struct ConsoleOutput(broadcast::Receiver<Bytes>);

impl ConsoleOutput {
    /// The next output. May be cancelled.
    pub async fn next(&mut self) -> Result<Bytes, ConsoleEnd> {
        self.0.recv().await.map_err(|error| match error {
            RecvError::Closed => ConsoleEnd::Closed,
            RecvError::Lagged(_) => ConsoleEnd::TooSlow,
        })
    }
}

/// The keyboard of a console, shared by its viewers. It keeps the console open.
pub struct ConsoleKeyboard(Arc<Shared>);

impl ConsoleKeyboard {
    /// Waits until something can be typed. May be cancelled.
    pub async fn ready(&self) -> Result<InputRoom<'_>, ConsoleEnd> {
        self.0.input.reserve().await.map(InputRoom).map_err(|_| ConsoleEnd::Closed)
    }
}

/// Room for one input.
pub struct InputRoom<'a>(mpsc::Permit<'a, Bytes>);

impl InputRoom<'_> {
    /// Types the input, in one piece.
    pub fn enter(self, input: Bytes) {
        self.0.send(input);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
