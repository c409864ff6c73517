using System.Collections.Immutable;
using OrdersStream.Kafka;
using OrdersStream.Postgres;
using OrdersStream.Rows;

namespace OrdersStream.UnitTests.Postgres;

/// <summary>Values for the tests of this folder.</summary>
internal static class Horizons
{
    public static readonly DateTime Noon = new(2026, 3, 1, 12, 0, 0, DateTimeKind.Utc);

    public static Horizon At(ulong xmin, ulong xmax, DateTime? bound, params uint[] seen) => new(
        $"{xmin}:{xmax}:", xmin, xmax, [.. seen], bound, Noon, Noon.AddDays(-1), ImmutableSortedDictionary<uint, DateTime?>.Empty);

    public static SourceTable Orders(bool nullableTimestamp = false) => new(
        new TableSchema(
            [
                new Column("order_id", new ColumnType(ColumnKind.BigInt, "bigint"), false),
                new Column("odd \"name\"", new ColumnType(ColumnKind.Text, "text"), true),
                new Column("updated_at", new ColumnType(ColumnKind.TimestampTz, "timestamp with time zone"), nullableTimestamp),
            ], [0], 2),
        4711, "\"public\".\"orders\"", TimestampHasZone: true, new("times", null, []), HasTimestampIndex: true, CapturesUpdates: true);

    public static readonly SourceIdentity Source = new("7000000000000000001", "00000001", "food_delivery_db", "public.orders", 4711);
    public static readonly TopicIdentity Topic = new("cluster", "orders_raw", "topic-id");
}
