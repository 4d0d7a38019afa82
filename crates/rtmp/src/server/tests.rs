mod calls;
mod ends;
mod limits;
mod peer;
mod players;
mod recorded;
mod recordings;
