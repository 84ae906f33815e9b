//! Why a program gets nothing: a `command` of a type that the library does not have. All its versions print that type and
//! go on; any other answer to it is ignored, or ends its process.

/// Why a program's frames have no effect. A connection gets each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Notice {
    /// Its credentials are not proved. The same for an app that is unknown, another user's or without the legacy flag, so
    /// that nothing can be guessed from it.
    Unproved,
    /// Its credentials are proved, and the app is inactive.
    SwitchedOff,
    /// Its credentials are proved, and the app has its maximum of connections.
    Full,
}

impl Notice {
    /// Every notice.
    pub const ALL: [Self; 3] = [Self::Unproved, Self::SwitchedOff, Self::Full];

    /// What the process prints.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unproved => {
                "NSL: these ids open no app here. Check userId and appId in the configuration file, and the key if one is \
                 sent; without a key, the app must have its legacy flag on."
            }
            Self::SwitchedOff => {
                "NSL: the app is switched off. Reports and logs are dropped until its owner activates it."
            }
            Self::Full => {
                "NSL: the app has its maximum of connections. This process is accepted once another one ends."
            }
        }
    }
}
