//! Moves the bytes of one command: its input there, its output here, and notices when the other side is gone.
//!
//! Deliberately the only place that waits on the socket. It wakes a few times a second, so that work that nobody
//! waits for any more ends.

use std::io::{ErrorKind, Read, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Channel, ErrorCode};

use crate::command::Exit;
use crate::connect::{Timeouts, is_cut};
use crate::error::SshError;
use crate::target::Target;

/// The longest sleep: how long given up work may go on.
const WAKE: Duration = Duration::from_millis(250);
/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;
/// libssh2's error code for "would block".
const EAGAIN: ErrorCode = ErrorCode::Session(-37);
/// How many questions whether it is still there may stay open.
const UNANSWERED: u32 = 3;

/// Which of a command's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Takes what a command writes; its error ends the command's connection.
pub(crate) type Take<'a> = dyn FnMut(Stream, &[u8]) -> Result<(), SshError> + 'a;

/// What one command is given, and where its output goes.
pub(crate) struct Job<'a> {
    /// The line for the login shell.
    pub(crate) line: &'a str,
    /// What is done, for errors.
    pub(crate) during: &'a str,
    /// The end of its time here.
    pub(crate) deadline: Instant,
    pub(crate) time_limit: Duration,
    pub(crate) stdin: &'a mut dyn Read,
    /// Takes output; its error ends the job.
    pub(crate) take: &'a mut Take<'a>,
    /// Is told how much of the input is sent, in bytes.
    pub(crate) sent: &'a mut dyn FnMut(u64),
    pub(crate) given_up: &'a AtomicBool,
}

/// An open connection; one command at a time.
pub(crate) struct Connection {
    /// None after a command ended in its middle: what the other side still sends cannot be told apart then.
    session: Option<ssh2::Session>,
    socket: TcpStream,
    pub(crate) target: Target,
    timeouts: Timeouts,
}

impl Connection {
    pub(crate) fn new(session: ssh2::Session, socket: TcpStream, target: Target, timeouts: Timeouts) -> Self {
        // libssh2 itself sends no more than one in two seconds.
        let keep_alive = timeouts.keep_alive.max(Duration::from_secs(2));
        session.set_keepalive(true, u32::try_from(keep_alive.as_secs()).unwrap_or(u32::MAX));
        let timeouts = Timeouts { keep_alive, ..timeouts };
        Self { session: Some(session), socket, target, timeouts }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&mut self, mut job: Job<'_>) -> Result<Exit, SshError> {
        let Some(session) = self.session.take() else {
            return Err(self.cut(job.during, "it was given up before".to_owned()));
        };
        let result = self.run_on(&session, &mut job);
        if result.is_ok() {
            self.session = Some(session);
        } else {
            // What is lost is closed at once: a command there then reads the end of its input.
            session.set_blocking(false);
            let _closed_by_peer = self.socket.shutdown(std::net::Shutdown::Both);
        }
        result
    }

    fn run_on(&self, session: &ssh2::Session, job: &mut Job<'_>) -> Result<Exit, SshError> {
        session.set_blocking(true);
        let mut channel = session.channel_session().map_err(|error| self.lost(job, error))?;
        channel.exec(job.line).map_err(|error| self.lost(job, error))?;
        session.set_blocking(false);
        let mut pump = Pump {
            connection: self,
            session,
            channel,
            input: Input::new(),
            heard: Instant::now(),
            asked: Instant::now(),
        };
        pump.turn_until_end(job)?;
        pump.exit(job)
    }

    fn cut(&self, during: &str, why: String) -> SshError {
        SshError::Cut { target: self.target.clone(), during: during.to_owned(), why }
    }

    fn lost(&self, job: &Job<'_>, source: ssh2::Error) -> SshError {
        if is_cut(&source) {
            return self.cut(job.during, source.message().to_owned());
        }
        SshError::Protocol { target: self.target.clone(), during: job.during.to_owned(), source }
    }
}

/// The input that is read here and not yet sent.
struct Input {
    buffer: Vec<u8>,
    begin: usize,
    sent: u64,
    state: InputState,
}

#[derive(PartialEq, Eq)]
enum InputState {
    Open,
    /// All is sent, but not that this was all.
    Ended,
    Closed,
}

impl Input {
    fn new() -> Self {
        Self { buffer: Vec::new(), begin: 0, sent: 0, state: InputState::Open }
    }

    /// Reads on where all that was read is sent.
    fn fill(&mut self, job: &mut Job<'_>) -> std::io::Result<()> {
        if self.begin < self.buffer.len() || self.state != InputState::Open {
            return Ok(());
        }
        self.buffer.resize(CHUNK, 0);
        self.begin = 0;
        let length = loop {
            match job.stdin.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.buffer.truncate(length);
        if length == 0 {
            self.state = InputState::Ended;
        }
        Ok(())
    }
}

struct Pump<'a> {
    connection: &'a Connection,
    session: &'a ssh2::Session,
    channel: Channel,
    input: Input,
    /// When the other side last did something.
    heard: Instant,
    /// When it was last asked whether it is there.
    asked: Instant,
}

/// What came of a try.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moved {
    Yes,
    /// Nothing to do, or the other side has to act first.
    No,
    /// A packet is half in the socket: it goes on with the same call, and nothing else may be sent before.
    Half,
}

impl Pump<'_> {
    /// Sends and takes until the command has closed its outputs.
    fn turn_until_end(&mut self, job: &mut Job<'_>) -> Result<(), SshError> {
        let mut buffer = vec![0; CHUNK];
        let mut half_read = None;
        loop {
            self.still_wanted(job)?;
            let sent = if half_read.is_some() { Moved::No } else { self.send(job)? };
            let mut moved = sent == Moved::Yes;
            if sent != Moved::Half {
                for stream in [Stream::Out, Stream::Err] {
                    if half_read.is_some_and(|half| half != stream) {
                        continue;
                    }
                    let read = self.read(job, stream, &mut buffer)?;
                    half_read = (read == Moved::Half).then_some(stream);
                    moved |= read == Moved::Yes;
                    if half_read.is_some() {
                        break;
                    }
                }
            }
            let half = sent == Moved::Half || half_read.is_some();
            if !half && self.channel.eof() {
                return Ok(());
            }
            if moved {
                self.heard = Instant::now();
            } else {
                self.wait(job, half)?;
            }
        }
    }

    fn send(&mut self, job: &mut Job<'_>) -> Result<Moved, SshError> {
        self.input
            .fill(job)
            .map_err(|source| SshError::Local { what: format!("the input for {}", job.during), source })?;
        match self.input.state {
            InputState::Closed => Ok(Moved::No),
            InputState::Ended => match self.channel.send_eof() {
                Ok(()) => {
                    self.input.state = InputState::Closed;
                    Ok(Moved::Yes)
                }
                Err(error) if error.code() == EAGAIN => Ok(self.blocked()),
                Err(error) => self.input_refused(job, error.message()),
            },
            InputState::Open => match self.channel.write(&self.input.buffer[self.input.begin..]) {
                Ok(length) => {
                    self.input.begin += length;
                    self.input.sent += length as u64;
                    (job.sent)(self.input.sent);
                    Ok(Moved::Yes)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(self.blocked()),
                Err(error) => self.input_refused(job, &error.to_string()),
            },
        }
    }

    /// A command that ends before it has read all is no lost connection; its exit status tells more.
    fn input_refused(&mut self, job: &Job<'_>, why: &str) -> Result<Moved, SshError> {
        if self.channel.eof() {
            self.input.state = InputState::Closed;
            return Ok(Moved::No);
        }
        Err(self.connection.cut(job.during, why.to_owned()))
    }

    fn read(&mut self, job: &mut Job<'_>, stream: Stream, buffer: &mut [u8]) -> Result<Moved, SshError> {
        let result = match stream {
            Stream::Out => self.channel.read(buffer),
            Stream::Err => self.channel.stderr().read(buffer),
        };
        match result {
            Ok(0) => Ok(Moved::No),
            Ok(length) => {
                (job.take)(stream, &buffer[..length])?;
                Ok(Moved::Yes)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(self.blocked()),
            Err(error) => Err(self.connection.cut(job.during, error.to_string())),
        }
    }

    fn blocked(&self) -> Moved {
        match self.session.block_directions() {
            BlockDirections::Outbound | BlockDirections::Both => Moved::Half,
            BlockDirections::None | BlockDirections::Inbound => Moved::No,
        }
    }

    /// Waits for the command to say how it ended. That it does is what tells an exit status of 0 from a lost one.
    fn exit(&mut self, job: &mut Job<'_>) -> Result<Exit, SshError> {
        loop {
            self.still_wanted(job)?;
            match self.channel.wait_close() {
                Ok(()) => break,
                Err(error) if error.code() == EAGAIN => self.wait(job, false)?,
                Err(error) => return Err(self.connection.cut(job.during, error.message().to_owned())),
            }
        }
        let signal = self.channel.exit_signal().map_err(|error| self.connection.lost(job, error))?;
        let status = self.channel.exit_status().map_err(|error| self.connection.lost(job, error))?;
        // Ours is a few bytes into an empty socket; the connection is good without it, too.
        let _not_yet = self.channel.close();
        Ok(signal.exit_signal.map_or(Exit::Status(status), Exit::Signal))
    }

    fn still_wanted(&self, job: &Job<'_>) -> Result<(), SshError> {
        if job.given_up.load(Ordering::Relaxed) {
            return Err(SshError::GivenUp { during: job.during.to_owned() });
        }
        if Instant::now() >= job.deadline {
            let what = format!("{} on {}", job.during, self.connection.target);
            return Err(SshError::TimedOut { what, after: job.time_limit });
        }
        Ok(())
    }

    /// Sleeps until the socket can do something, and asks now and then whether the other side is still there.
    fn wait(&mut self, job: &Job<'_>, half: bool) -> Result<(), SshError> {
        let interval = self.connection.timeouts.keep_alive;
        if self.heard.elapsed() > interval * UNANSWERED {
            let why = format!("no sign of life for {:.0?}", self.heard.elapsed());
            return Err(self.connection.cut(job.during, why));
        }
        if !half && self.asked.elapsed() >= interval {
            self.asked = Instant::now();
            match self.session.keepalive_send() {
                Ok(_) => {}
                Err(error) if error.code() == EAGAIN => {}
                Err(error) => return Err(self.connection.cut(job.during, error.message().to_owned())),
            }
        }
        // Only now, for a quick answer would be read unseen before the next sleep.
        // With half a packet to send nothing is read, so that something to read is no reason to wake up.
        let wanted = if half { PollFlags::OUT } else { PollFlags::IN };
        let left = job.deadline.saturating_duration_since(Instant::now()).min(WAKE);
        let left = Timespec { tv_sec: 0, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut sockets = [PollFd::new(&self.connection.socket, wanted)];
        match poll(&mut sockets, Some(&left)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => self.heard = Instant::now(),
            Err(error) => return Err(self.connection.cut(job.during, error.to_string())),
        }
        Ok(())
    }
}
