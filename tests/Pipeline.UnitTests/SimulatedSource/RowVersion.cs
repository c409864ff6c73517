namespace OrdersStream.UnitTests.SimulatedSource;

/// <summary>A row version as the table's file has it.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Time">Its ordering column, in microseconds; null: NULL.</param>
/// <param name="Id">Its transaction's id, of which the row keeps 32 bits.</param>
/// <param name="Table">The oid of its table.</param>
/// <param name="Version">Which one it is of all that were ever written; a rewrite keeps it.</param>
internal sealed record RowVersion(long Key, long? Time, ulong Id, uint Table, int Version)
{
    public static readonly RowVersion None = new(0, null, 0, 0, 0);

    public uint Xmin => (uint)Id;
}

/// <summary>The database's clock, as a number and as Postgres prints it.</summary>
internal static class SimulatedClock
{
    public const long Second = 1_000_000;

    private static readonly DateTime Zero = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    public static DateTime Time(long micros) => Zero.AddTicks(micros * TimeSpan.TicksPerMicrosecond);

    public static long Micros(DateTime time) => (time - Zero).Ticks / TimeSpan.TicksPerMicrosecond;

    public static string Text(long micros) => $"{Time(micros):yyyy-MM-dd HH:mm:ss.ffffff}+00";

    public static long Read(string text) => Micros(DateTime.ParseExact(
        text, "yyyy-MM-dd HH:mm:ss.ffffff+00", null, System.Globalization.DateTimeStyles.AssumeUniversal
        | System.Globalization.DateTimeStyles.AdjustToUniversal));
}
