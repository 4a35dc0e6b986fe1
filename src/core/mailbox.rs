//! The mailbox of a driver: requests that wait for one domain, in order.

use super::error::Error;
use super::model::CompleteConfig;
use super::op::{DomainOp, Outcome};
use super::transfer::Transfer;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};

/// Requests that may wait for one domain.
const QUEUE_LIMIT: usize = 64;

/// A new mailbox. The inbox goes to the driver, the handle to the registry.
pub(super) fn mailbox() -> (Handle, Inbox) {
    // A channel has room for 32 messages from the beginning on, and most domains are idle: boxes
    // take a word each.
    let (sender, requests) = mpsc::channel(QUEUE_LIMIT);
    let shared = Arc::new(Shared::default());
    (Handle { requests: sender, shared: shared.clone() }, Inbox { requests, shared })
}

/// Something to do, and the way back for its result.
pub(super) enum Request {
    Operation { op: DomainOp, answer: oneshot::Sender<Result<Outcome, Error>> },
    Copy { change: CopyChange, answer: oneshot::Sender<Result<bool, Error>> },
}

/// What a fleet makes of a definition that is here. Nothing is done, and the answer is no, if
/// another one is here by then.
pub(super) enum CopyChange {
    Replace { definition: Arc<CompleteConfig>, instead_of: Option<Arc<CompleteConfig>> },
    SetAside { definition: Arc<CompleteConfig> },
}

impl Request {
    /// Answers with an error. Whoever asked may have gone.
    fn refuse(self, error: Error) {
        let _ = match self {
            Self::Operation { answer, .. } => answer.send(Err(error)).is_ok(),
            Self::Copy { answer, .. } => answer.send(Err(error)).is_ok(),
        };
    }
}

/// A message for the driver.
pub(super) enum Message {
    /// The domain may have changed on the hypervisor.
    Changed,
    Request(Box<Request>),
}

/// State of the driver that its handles can see.
#[derive(Default)]
struct Shared {
    changed: Notify,
    /// Whether the driver stopped because the engine did. Otherwise its domain is gone.
    stopped: AtomicBool,
    /// The name of the operation that the driver carries out.
    operation: Mutex<Option<&'static str>>,
    /// The save or migration that the driver carries out.
    transfer: Mutex<Option<Arc<Transfer>>>,
}

/// The sending side of a mailbox.
#[derive(Clone)]
pub(super) struct Handle {
    requests: mpsc::Sender<Box<Request>>,
    shared: Arc<Shared>,
}

impl Handle {
    /// Queues an operation on the domain called `name` and waits for its result. The operation is
    /// carried out even if this future is dropped.
    pub(super) async fn request(&self, name: &str, op: DomainOp) -> Result<Outcome, Error> {
        let (answer, answered) = oneshot::channel();
        self.send(name, Request::Operation { op, answer })?;
        // An earlier request can take the domain away.
        answered.await.unwrap_or_else(|_| Err(self.closed(name)))
    }

    /// The same for a change that a fleet asks for.
    pub(super) async fn change_copy(&self, name: &str, change: CopyChange) -> Result<bool, Error> {
        let (answer, answered) = oneshot::channel();
        self.send(name, Request::Copy { change, answer })?;
        answered.await.unwrap_or_else(|_| Err(self.closed(name)))
    }

    fn send(&self, name: &str, request: Request) -> Result<(), Error> {
        self.requests.try_send(Box::new(request)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Busy(name.to_owned()),
            mpsc::error::TrySendError::Closed(_) => self.closed(name),
        })
    }

    /// The error of a request that no driver will answer.
    fn closed(&self, name: &str) -> Error {
        if self.shared.stopped.load(Ordering::Acquire) {
            Error::Stopping
        } else {
            Error::NoSuchDomain(name.to_owned())
        }
    }

    /// Cancels the save or migration of the domain, which goes on running.
    pub(super) fn cancel(&self) -> Result<(), Error> {
        let transfer = lock(&self.shared.transfer);
        transfer.as_ref().map(|transfer| transfer.cancel()).ok_or(Error::NoTransfer)
    }

    /// Tells the driver that its domain may have changed on the hypervisor.
    pub(super) fn notify_changed(&self) {
        self.shared.changed.notify_one();
    }

    /// The number of requests that the driver has not begun.
    pub(super) fn waiting(&self) -> usize {
        self.requests.max_capacity().saturating_sub(self.requests.capacity())
    }

    /// The name of the operation that the driver carries out.
    pub(super) fn operation(&self) -> Option<&'static str> {
        *lock(&self.shared.operation)
    }
}

/// The receiving side of a mailbox.
pub(super) struct Inbox {
    requests: mpsc::Receiver<Box<Request>>,
    shared: Arc<Shared>,
}

impl Inbox {
    /// The next message; `None` when all handles are gone. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Message> {
        tokio::select! {
            () = self.shared.changed.notified() => Some(Message::Changed),
            request = self.requests.recv() => request.map(Message::Request),
        }
    }

    /// Shows the handles which operation is carried out, until the guard is dropped. An operation
    /// within another one hides it meanwhile.
    pub(super) fn operation(&self, name: &'static str) -> OperationGuard {
        let outer = lock(&self.shared.operation).replace(name);
        OperationGuard { shared: self.shared.clone(), outer }
    }

    /// Lets the handles cancel a transfer; `None` when it is over.
    pub(super) fn set_transfer(&self, transfer: Option<Arc<Transfer>>) {
        *lock(&self.shared.transfer) = transfer;
    }

    /// Refuses all requests that wait, and all later ones: the engine stops.
    pub(super) async fn refuse_all(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.requests.close();
        while let Some(request) = self.requests.recv().await {
            request.refuse(Error::Stopping);
        }
    }
}

/// Ends the operation that [`Inbox::operation`] began.
pub(super) struct OperationGuard {
    shared: Arc<Shared>,
    outer: Option<&'static str>,
}

impl Drop for OperationGuard {
    fn drop(&mut self) {
        *lock(&self.shared.operation) = self.outer;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stopped_driver_refuses_what_waits_and_what_comes() {
        let (handle, mut inbox) = mailbox();
        let waiting = handle.clone();
        let waiting = tokio::spawn(async move { waiting.request("a", DomainOp::Pause).await });
        tokio::task::yield_now().await;
        inbox.refuse_all().await;
        assert!(matches!(waiting.await.unwrap(), Err(Error::Stopping)));
        assert!(matches!(handle.request("a", DomainOp::Pause).await, Err(Error::Stopping)));
    }

    #[tokio::test]
    async fn the_domain_of_a_dropped_inbox_is_gone() {
        let (handle, inbox) = mailbox();
        drop(inbox);
        assert!(matches!(handle.request("a", DomainOp::Pause).await, Err(Error::NoSuchDomain(_))));
    }

    #[tokio::test]
    async fn an_operation_is_shown_while_its_guard_lives() {
        let (handle, inbox) = mailbox();
        let save = inbox.operation("save");
        let refresh = inbox.operation("refresh");
        assert_eq!(handle.operation(), Some("refresh"));
        drop(refresh);
        assert_eq!(handle.operation(), Some("save"));
        drop(save);
        assert_eq!(handle.operation(), None);
    }

    #[tokio::test]
    async fn a_transfer_can_be_cancelled_while_it_is_set() {
        let (handle, inbox) = mailbox();
        assert!(handle.cancel().is_err());
        let transfer = Arc::new(Transfer::default());
        inbox.set_transfer(Some(transfer.clone()));
        handle.cancel().unwrap();
        assert!(transfer.is_cancelled());
        inbox.set_transfer(None);
        assert!(handle.cancel().is_err());
    }
}
