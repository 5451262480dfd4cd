//! Orders a server, watches it and its console until it says that it is set up, and deletes it again.
//!
//! Deliberately for the programs that make single servers and wait for them; the daemon waits for none.

mod order;
mod stop;
mod trouble;
mod watch;

pub use order::{delete_server, find, looking, order_server};
pub use stop::Stop;
pub use trouble::Trouble;
pub use watch::{LOOK, Seen, Watch, span};
