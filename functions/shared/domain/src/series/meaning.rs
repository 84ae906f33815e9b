//! Kind and unit of the series in the library's documents and those of `nsl agent`, by one table of names
//! (`library_series.json`), which the dashboard's page contains too. Any other series is a gauge without a unit, until
//! publishers can declare more: the same last part of a name has other meanings in other programs.

/// The table as JSON: rows of a name, `gauge` or `counter`, and a unit or nothing. `*` is an interface's name, which may
/// contain dots.
pub const LIBRARY_SERIES: &str = include_str!("library_series.json");

/// The same table: an array of arrays of strings has one form in JSON and in Rust.
const ROWS: &[[&str; 3]] = &include!("library_series.json");

/// What a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Parts of a hundred.
    Percent,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// Its name in answers and in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
        }
    }

    /// The unit of the values of the series `name`; `None` for plain numbers.
    pub fn of_series(name: &str) -> Option<Self> {
        let [_, _, unit] = row_of(name)?;
        [Self::Percent, Self::Bytes, Self::Seconds].into_iter().find(|known| known.as_str() == *unit)
    }
}

/// The row for the series `name`, if it is one of the library's.
fn row_of(name: &str) -> Option<&'static [&'static str; 3]> {
    ROWS.iter().find(|[pattern, ..]| matches(pattern, name))
}

fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let interface = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    interface.is_some_and(|interface| !interface.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::for_each_sample;

    const RECORDED: &str = include_str!("../../../../../tests/fixtures/metrics-windows-host.json");

    #[test]
    fn every_row_is_read_by_the_service_and_the_page_alike() {
        let rows: Vec<[String; 3]> = serde_json::from_str(LIBRARY_SERIES).unwrap();
        assert_eq!(rows, ROWS);
        for [name, kind, unit] in ROWS {
            assert!(["gauge", "counter"].contains(kind), "{name}");
            assert!(name.matches('*').count() <= 1, "{name}");
            let name = name.replace('*', "eth0");
            assert_eq!(Unit::of_series(&name).map_or("", Unit::as_str), *unit, "{name}");
            assert_eq!(ROWS.iter().filter(|[pattern, ..]| matches(pattern, &name)).count(), 1, "{name}");
        }
    }

    #[test]
    fn recorded_series_have_the_units_of_their_values() {
        let mut found = Vec::new();
        for_each_sample(RECORDED, |name, _| {
            found.push(format!("{name} {}", Unit::of_series(name).map_or("-", Unit::as_str)));
        })
        .unwrap();
        let expected = "cpu.usage percent,cpu.cores -,cpu.loadAverage.0 -,cpu.loadAverage.1 -,cpu.loadAverage.2 -,\
             memory.total bytes,memory.used bytes,memory.free bytes,memory.usagePercent percent,\
             process.uptime seconds,process.memoryUsage.rss bytes,process.memoryUsage.heapTotal bytes,\
             process.memoryUsage.heapUsed bytes,process.memoryUsage.external bytes,\
             process.memoryUsage.arrayBuffers bytes,\
             network.interfaces.Wi-Fi.bytesReceived bytes,network.interfaces.Wi-Fi.bytesSent bytes,\
             network.interfaces.Wi-Fi.packetsReceived -,network.interfaces.Wi-Fi.packetsSent -,\
             network.interfaces.Loopback Pseudo-Interface 1.bytesReceived bytes,\
             network.interfaces.Loopback Pseudo-Interface 1.bytesSent bytes,\
             network.interfaces.Loopback Pseudo-Interface 1.packetsReceived -,\
             network.interfaces.Loopback Pseudo-Interface 1.packetsSent -,\
             activeConnections -,messageRate -,errorRate -";
        assert_eq!(found.join(","), expected);
    }

    #[test]
    fn interface_names_may_have_dots_and_colons() {
        for interface in ["eth0.100", "eth0:1", "a.bytesSent", "é #"] {
            let name = format!("network.interfaces.{interface}.bytesSent");
            assert_eq!(Unit::of_series(&name), Some(Unit::Bytes), "{name}");
        }
    }

    #[test]
    fn series_of_other_programs_are_plain_numbers() {
        for name in [
            "queue.bytesInFlight",
            "process.cpuUsage.user",
            "process.cpuUsage.system",
            "cpu.user",
            "pool.usage",
            "app.memory.used",
            "memory.used.0",
            "heapBytes",
            "uptime",
            "bytesSent",
            "network.interfaces.bytesSent",
            "network.interfaces..bytesSent",
            "",
        ] {
            assert_eq!(Unit::of_series(name), None, "{name}");
        }
    }
}
