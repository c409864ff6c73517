using OrdersStream.Benchmarks.Running;

namespace OrdersStream.Benchmarks.Load;

/// <summary>A table of rows of 1 MB each, of text that does not compress well.</summary>
internal static class LargeRows
{
    public const string Table = "bench_large";
    public const string Name = "rows of 1 MB";

    public static async Task CreateAsync(OrdersSource source, int rows, CancellationToken cancellationToken)
    {
        await source.ExecuteAsync(
            $"""
             CREATE TABLE {Table} (id bigint PRIMARY KEY, document text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
             CREATE INDEX ON {Table} (updated_at, id);
             INSERT INTO {Table} (id, document)
             SELECT n, (SELECT string_agg(md5(n || '/' || part), '') FROM generate_series(1, 31250) part) FROM generate_series(1, {rows}) n;
             GRANT SELECT ON {Table} TO PUBLIC
             """, cancellationToken);
        await source.SettleAsync(cancellationToken);
    }
}
