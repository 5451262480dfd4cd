//! What the programs that make single servers share: ordering, watching and deleting one, and writing down what came
//! of it.
//!
//! Deliberately for the programs that make single servers and wait for them; the daemon waits for none.

mod order;
mod stop;
mod trouble;
mod watch;
mod write;

pub use order::{delete_server, find, looking, order_server};
pub use stop::Stop;
pub use trouble::Trouble;
pub use watch::{LOOK, Seen, Watch, span};
pub use write::Writer;
