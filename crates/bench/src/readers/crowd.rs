//! The thread that reads every stream.

use std::{
    io::{self, Read},
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
};

use mio::{Events, Interest, Poll, Token, event, net::TcpStream};

use super::Shared;
use crate::{
    connect::{Wish, connect},
    parser::{Event, Parser},
    payload::{Clock, Shape},
    tally::Tally,
};

pub(super) const WAKE: Token = Token(usize::MAX);

/// Requests that wait for their answer: less than any server's queue of new connections.
const AT_ONCE: usize = 128;

/// The thread that reads every stream.
pub(super) struct Crowd {
    shared: Arc<Shared>,
    poll: Poll,
    wishes: Receiver<Vec<Wish>>,
    waiting: std::vec::IntoIter<Wish>,
    unanswered: usize,
    streams: Vec<Option<Stream>>,
    buffer: Vec<u8>,
    clock: Clock,
    shape: Shape,
}

struct Stream {
    socket: TcpStream,
    parser: Parser,
    /// When the last heartbeat came; 0: none yet.
    heartbeat: u64,
    /// The number of the last publish.
    number: u64,
}

impl Crowd {
    pub(super) fn new(
        shared: Arc<Shared>,
        poll: Poll,
        wishes: Receiver<Vec<Wish>>,
        clock: Clock,
        shape: Shape,
    ) -> Self {
        Self {
            shared,
            poll,
            wishes,
            waiting: Vec::new().into_iter(),
            unanswered: 0,
            streams: Vec::new(),
            buffer: vec![0; 64 * 1024],
            clock,
            shape,
        }
    }

    /// Until nobody can wish any more.
    pub(super) fn run(&mut self) {
        let shared = self.shared.clone();
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return shared.tally().lose(error),
                Ok(()) => {}
            }
            let mut tally = shared.tally();
            for event in &events {
                if event.token() != WAKE {
                    self.read(event, &mut tally);
                    continue;
                }
                match self.wishes.try_recv() {
                    Ok(wishes) => self.waiting = wishes.into_iter(),
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.open_more(&mut tally);
            if tally.is_settled() {
                shared.changed.notify_one();
            }
        }
    }

    fn open_more(&mut self, tally: &mut Tally) {
        while self.unanswered < AT_ONCE
            && let Some(wish) = self.waiting.next()
        {
            match self.open(&wish) {
                Ok(()) => self.unanswered += 1,
                Err(error) => tally.lose(format!("a connection failed: {error}")),
            }
        }
    }

    fn open(&mut self, wish: &Wish) -> io::Result<()> {
        let number = self.streams.len();
        let socket = connect(wish, number, None)?;
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        self.poll
            .registry()
            .register(&mut socket, Token(number), Interest::READABLE)?;
        self.streams.push(Some(Stream {
            socket,
            parser: Parser::default(),
            heartbeat: 0,
            number: 0,
        }));
        Ok(())
    }

    fn read(&mut self, ready: &event::Event, tally: &mut Tally) {
        let Some(slot) = self.streams.get_mut(ready.token().0) else {
            return;
        };
        let Some(stream) = slot else { return };
        let was_open = stream.parser.is_open();
        let closed = ready.is_read_closed() || ready.is_error();
        let end = stream.read(closed, &mut self.buffer, self.clock, self.shape, tally);
        let is_open = stream.parser.is_open();
        if !was_open && (is_open || end.is_err()) {
            self.unanswered -= 1;
        }
        if is_open && !was_open {
            tally.open += 1;
        }
        if let Err(reason) = end {
            if is_open {
                tally.open -= 1;
            }
            tally.lose(reason);
            *slot = None;
        }
    }
}

impl Stream {
    /// Reads what is there; an error says why nothing more will come.
    fn read(
        &mut self,
        closed: bool,
        buffer: &mut [u8],
        clock: Clock,
        shape: Shape,
        tally: &mut Tally,
    ) -> Result<(), String> {
        loop {
            let read = match self.socket.read(buffer) {
                Ok(0) => return Err("the server closed it".to_owned()),
                Ok(read) => read,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted => continue,
                    _ => return Err(error.to_string()),
                },
            };
            let now = clock.now();
            let (heartbeat, number) = (&mut self.heartbeat, &mut self.number);
            let mut sink = |event: Event| {
                tally.events += 1;
                if event.heartbeat {
                    let before = std::mem::replace(heartbeat, now);
                    if before > 0 {
                        tally.gaps.record(now - before);
                    }
                } else if let Some(sent) = event.number {
                    tally.damaged += u64::from(!shape.fits(&event));
                    tally.repeated += u64::from(std::mem::replace(number, sent) == sent);
                    tally.publish_arrived(sent, now);
                }
            };
            self.parser
                .push(&buffer[..read], &mut sink)
                .map_err(|broken| broken.to_string())?;
            if self.parser.has_ended() {
                return Err("the server ended it".to_owned());
            }
            // A short read emptied the socket: whatever comes later is announced anew. But an end that
            // was announced with this data is not.
            if read < buffer.len() && !closed {
                return Ok(());
            }
        }
    }
}
