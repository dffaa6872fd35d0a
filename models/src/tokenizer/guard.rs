//! The library that tokenizes panics on some damaged files; here that becomes an error.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `parse` gives, or what it says when it panics, of which nobody hears otherwise.
pub(super) fn guarded<T>(parse: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                others(panic);
            }
        }));
    });
    IS_GUARDED.set(true);
    // What `parse` was making is dropped, and it has nothing else that it could leave half done.
    let parsed = catch_unwind(AssertUnwindSafe(parse));
    IS_GUARDED.set(false);
    parsed.map_err(|panic| message(&*panic).to_owned())
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it is damaged")
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded(|| 1), Ok(1));
        assert_eq!(guarded(|| -> u8 { panic!("no {}", "token") }), Err("no token".to_owned()));
        assert_eq!(guarded(|| -> u8 { panic!("nothing") }), Err("nothing".to_owned()));
    }
}
