use std::collections::HashMap;
use std::fmt::{self, Display};
use std::rc::Rc;

const LIMIT: usize = 3;

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Fruit,
    Bread { grams: u32 },
}

struct Shelf<'a> {
    titles: HashMap<&'a str, Vec<Rc<Kind>>>,
}

trait Priced {
    fn price(&self) -> u32;
}

impl Priced for Kind {
    fn price(&self) -> u32 {
        match self {
            Kind::Fruit => 1,
            Self::Bread { grams } if *grams > 500 => twice(*grams),
            _ => 0,
        }
    }
}

impl<'a> Shelf<'a> {
    fn add(&mut self, title: &'a str, kind: Kind) -> Result<(), String> {
        if self.titles.len() >= LIMIT {
            return Err(format!("no room for {title:?} {}", describe(&kind)));
        }
        self.titles.entry(title).or_default().push(Rc::new(kind));
        Ok(())
    }
}

fn twice(x: u32) -> u32 {
    x << 1
}

fn describe<T: Priced>(thing: &T) -> impl Display {
    struct Price(u32);
    impl Display for Price {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}", self.0)
        }
    }
    Price(thing.price())
}

fn main() {
    let mut shelf = Shelf { titles: HashMap::new() };
    let kinds = vec![Kind::Fruit, Kind::Bread { grams: 750 }];
    'all: for (idx, kind) in kinds.iter().enumerate() {
        let title = if idx == 0 { "a" } else { r#"b "{" "# };
        if let Err(reason) = shelf.add(title, kind.clone()) {
            println!("{reason}");
            break 'all;
        }
    }
    let total: u32 = kinds.iter().map(|kind| kind.price()).sum();
    assert_eq!(total, 1501, "{}", '{'); /* a /* nested */ comment */
}
