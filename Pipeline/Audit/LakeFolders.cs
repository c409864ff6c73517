using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Audit;

/// <summary>
/// Whether a file lies where its rows belong, by <c>datalake.partition_by</c>: readers that look for a value into its folder alone miss
/// the rows of a file that was moved into another. Only folders of the configured column are judged, whose name says so: of those that are
/// named by <c>datalake.folder_name</c>, or of an earlier column, nobody knows by what they were made.
/// </summary>
internal sealed class LakeFolders
{
    private readonly string partitionBy;
    private readonly FolderName name;
    private readonly Dictionary<string, HivePartitioning?> bySchema = [];

    private LakeFolders(string partitionBy, FolderName name) => (this.partitionBy, this.name) = (partitionBy, name);

    /// <returns>Null: its folders cannot be judged.</returns>
    public static LakeFolders? Of(DatalakeOptions options, ILakeFiles lake) =>
        options.PartitionBy == HivePartitioning.None || !string.IsNullOrEmpty(options.FolderName)
            ? null
            : new(options.PartitionBy, FolderName.Of(lake, options.PartitionBy, configured: null));

    /// <param name="file">Below the lake's folder.</param>
    /// <param name="row">One of its rows.</param>
    public bool IsMisplaced(string file, DecodedRow row)
    {
        var folder = file[..Math.Max(0, file.LastIndexOf('/'))];
        if (!folder.StartsWith(PathSegment.Encode(name.Text) + "=", StringComparison.Ordinal) || folder.Contains('/')) return false;
        if (!bySchema.TryGetValue(row.Schema.Fingerprint, out var folders)) bySchema[row.Schema.Fingerprint] = folders = For(row.Schema);
        return folders is not null && folders.FolderOf(row) != folder;
    }

    private HivePartitioning? For(TableSchema schema)
    {
        try
        {
            return HivePartitioning.For(schema, partitionBy, name);
        }
        catch (PipelineException)
        {
            // The table had no such column then.
            return null;
        }
    }
}
