//! stub
use crate::Change;
#[derive(Clone, Debug)]
pub(crate) struct Document;
impl Document {
    pub(crate) fn changes(&self, _new: &Self) -> Vec<Change> {
        Vec::new()
    }
}
