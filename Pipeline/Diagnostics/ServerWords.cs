using Npgsql;

namespace OrdersStream.Diagnostics;

/// <summary>
/// Which words of Postgres may be told. A function of the database may raise whatever it likes under whatever code it likes, a row's value
/// among it, and what it calls may quote its arguments: so a code says nothing of the words. The place in the server's source that
/// raised them does, which no function can choose: told are those of places known to speak of the server's own things only, and of all
/// others the code alone (invariant 9). Detail, hint and context are never told.
/// </summary>
internal static class ServerWords
{
    /// <summary>A file of the server's source, and the routine; an empty one: any.</summary>
    private static readonly HashSet<(string File, string Routine)> Known =
    [
        // Sessions: refused for want of room, or while the server starts or stops; ended; their statements cancelled.
        ("postmaster.c", "ProcessStartupPacket"), ("backend_startup.c", "ProcessStartupPacket"), ("backend_startup.c", "BackendInitialize"),
        ("proc.c", "InitProcess"), ("postinit.c", "InitPostgres"), ("postinit.c", "CheckMyDatabase"),
        ("miscinit.c", "InitializeSessionUserId"), ("auth.c", "auth_failed"), ("auth.c", "ClientAuthentication"),
        ("postgres.c", "ProcessInterrupts"), ("postgres.c", "quickdie"),
        ("postgres.c", "ProcessRecoveryConflictInterrupt"), ("postgres.c", "ProcessRecoveryConflictInterrupts"),
        // Locks, memory, files: names of relations, sizes, paths below the data directory.
        ("deadlock.c", "DeadLockReport"), ("lock.c", "LockAcquireExtended"), ("shmem.c", ""), ("dsm_impl.c", ""),
        ("mcxt.c", ""), ("aset.c", ""), ("generation.c", ""), ("slab.c", ""),
        ("md.c", ""), ("buffile.c", ""), ("logtape.c", ""), ("slru.c", ""), ("fd.c", "FileWrite"), ("fd.c", "FileWriteV"),
        // Rights: the name of what may not be read.
        ("aclchk.c", "aclcheck_error"), ("rls.c", "check_enable_rls"),
        // Publications: the name of the table of which a delete cannot be published.
        ("execReplication.c", "CheckCmdReplicaIdentity"),
    ];

    /// <summary>The code, and the words where they may be told.</summary>
    public static string Of(PostgresException e) => AreKnown(e) ? $"{e.SqlState} {e.MessageText}" : e.SqlState;

    /// <summary>The place where row security refuses to read, rather than to leave rows out.</summary>
    public static bool AreOfRowSecurity(PostgresException e) => FileOf(e) == "rls.c" && AreKnown(e);

    private static bool AreKnown(PostgresException e) =>
        FileOf(e) is { } file && e.Routine is { } routine && (Known.Contains((file, routine)) || Known.Contains((file, "")));

    // Earlier servers tell the path by which it was compiled.
    private static string? FileOf(PostgresException e) => e.File?[(e.File.LastIndexOfAny(['/', '\\']) + 1)..];
}
