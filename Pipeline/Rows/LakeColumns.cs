using System.Collections.Immutable;

namespace OrdersStream.Rows;

/// <summary>
/// The columns that the lake adds behind the table's own, in this order. Their names are taken: a table that has one of them
/// is refused, since a reader could not tell whose it is.
/// </summary>
public static class LakeColumns
{
    /// <summary>The operation, one of <see cref="RowOp"/>.</summary>
    public const string Op = "_op";

    /// <summary>The Kafka partition that the row came by.</summary>
    public const string Partition = "_partition";

    /// <summary>The record's offset in it.</summary>
    public const string Offset = "_offset";

    /// <summary>
    /// Number of the page that the row came by: of two versions of a key the greater is newer, whatever partitions they came by; within
    /// one version the greater offset is. A row that came by no page has the number of the last page before it in its partition.
    /// </summary>
    public const string Version = "_version";

    public static ImmutableArray<string> All { get; } = [Op, Partition, Offset, Version];

    /// <summary>Some reader takes the name for one of them.</summary>
    public static bool Contains(string name) => All.Any(own => ReaderNames.AreOne(own, name));
}
