mod calls;
mod ends;
mod enhanced;
mod limits;
mod peer;
mod players;
mod recorded;
mod recordings;
