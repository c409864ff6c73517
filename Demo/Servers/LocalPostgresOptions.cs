namespace OrdersStream.Demo.Servers;

/// <summary>How the private server is to be.</summary>
public sealed record LocalPostgresOptions
{
    /// <summary>Folder of Postgres' programs; null: <see cref="PostgresBinaries.FindAsync"/>.</summary>
    public string? BinDirectory { get; init; }

    /// <summary>
    /// False: no fsync, for a database that is thrown away. What a client sees is the same, also over an immediate restart; only a crash
    /// of the machine would lose data.
    /// </summary>
    public bool Durable { get; init; }

    /// <summary>Its files lie in memory, where there is a place for that: for tests.</summary>
    public bool InMemory { get; init; }

    /// <summary>Also (on Windows: only) listen on a free port of 127.0.0.1, with a random password for the superuser.</summary>
    public bool Tcp { get; init; }

    /// <summary>Further settings of postgresql.conf, by name; they win over our own.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>The database to make beside <c>postgres</c>; null: none.</summary>
    public string? Database { get; init; }
}

/// <summary>How a server is stopped.</summary>
public enum ShutdownMode
{
    /// <summary>Sessions are cut off, their transactions rolled back, everything is written.</summary>
    Fast,
    /// <summary>At once, as after a crash: the next start recovers from the log.</summary>
    Immediate,
}
