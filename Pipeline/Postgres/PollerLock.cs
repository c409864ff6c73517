using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace OrdersStream.Postgres;

/// <summary>
/// One poller at a time: an advisory lock of the session. It is gone with the connection, so a dead poller never holds
/// it; and a live one that lost its connection is fenced by Kafka's transactional id.
/// </summary>
internal static class PollerLock
{
    /// <returns>False when another session holds it.</returns>
    public static async Task<bool> TryTakeAsync(NpgsqlConnection connection, string publisherName, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_try_advisory_lock($1)", connection)
        {
            Parameters = { new() { Value = KeyOf(publisherName) } },
        };
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    internal static long KeyOf(string publisherName) =>
        BinaryPrimitives.ReadInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(publisherName)));
}
