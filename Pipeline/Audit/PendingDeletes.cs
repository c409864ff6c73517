using Npgsql;
using OrdersStream.Configuration;
using OrdersStream.Memory;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>
/// Keys whose rows are gone, by tombstones that a horizon does not have, or count as deleted by versions of themselves that it does not
/// have: their deletes are on the way, as rows are.
/// </summary>
internal sealed class PendingDeletes
{
    /// <summary>Keys that are kept (invariant 7). Where there are more, each key's delete may be on its way.</summary>
    private const int KeysMax = 1_000_000;

    private readonly HashSet<UInt128> keys = [];
    private bool isMore;

    /// <summary>None is.</summary>
    public static PendingDeletes None { get; } = new();

    /// <summary>The key's delete is on the way, or may be.</summary>
    /// <param name="key">Digest of the key.</param>
    public bool Contains(UInt128 key) => isMore || keys.Contains(key);

    /// <summary>One of them is of the key; of more than are kept it is not known.</summary>
    /// <param name="key">Digest of the key.</param>
    public bool Has(UInt128 key) => keys.Contains(key);

    /// <summary>Those of now; none where nothing tells of deletes.</summary>
    /// <param name="connection">Nothing else is done on it.</param>
    /// <param name="options">Which table.</param>
    /// <param name="horizon">What is in it is published; null: nothing is known to be.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public static async Task<PendingDeletes> ReadAsync(
        NpgsqlConnection connection, PostgresOptions options, Horizon? horizon, CancellationToken cancellationToken)
    {
        var table = await SourceCatalog.ReadAsync(connection, options, cancellationToken);
        var pending = new PendingDeletes();
        var schema = TombstoneTable.Of(options.Schema, options.Table + TombstoneTable.Suffix, table.Schema).Rows;
        if (table.Tombstones is { } tombstones)
            await pending.AddAsync(connection, tombstones.NotIn(horizon, table), schema, cancellationToken);
        if (table.DeletedWhen is not null)
            await pending.AddAsync(connection, TombstoneTable.MarkedNotIn(horizon, table), schema, cancellationToken);
        return pending;
    }

    private async Task AddAsync(NpgsqlConnection connection, string query, TableSchema schema, CancellationToken cancellationToken)
    {
        var (encoder, decoder, row) = (new MessageEncoder(schema), new MessageDecoder(schema), new DecodedRow(schema));
        var (key, value, digest) = (new ByteBuffer(), new ByteBuffer(), new RowDigest(schema, schema.KeyColumns));
        await using var copy = await CopyStream.OpenAsync(connection, query, cancellationToken);
        while (!isMore && (copy.TryNext(encoder, key, value) || await copy.WaitNextAsync(encoder, key, value, cancellationToken)))
        {
            decoder.Decode(value.Written, row);
            keys.Add(digest.Of(row));
            isMore = keys.Count == KeysMax;
        }
    }
}