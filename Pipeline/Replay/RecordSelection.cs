using OrdersStream.Lake;

namespace OrdersStream.Replay;

/// <summary>Which records of quarantine are meant; null: any.</summary>
/// <param name="Cause">A part of the reason, whatever its case.</param>
/// <param name="Partition">Their partition.</param>
/// <param name="First">The least offset.</param>
/// <param name="Last">The greatest offset.</param>
public sealed record RecordSelection(string? Cause = null, int? Partition = null, long? First = null, long? Last = null)
{
    /// <summary>It leaves none out.</summary>
    public bool IsAll => this == new RecordSelection();

    internal bool Has(QuarantinedRecord record) =>
        (Cause is null || record.Reason.Contains(Cause, StringComparison.OrdinalIgnoreCase))
        && (Partition is null || record.Place.Partition == Partition)
        && (First is null || record.Place.Offset >= First) && (Last is null || record.Place.Offset <= Last);
}
