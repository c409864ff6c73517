using System.Collections.Immutable;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Lake;

/// <summary>
/// What stands before the equals sign in the names of a lake's folders. It is one and the same in all of a lake: DuckDB and Spark refuse
/// a lake whose folders are named in two ways, so a lake of an earlier version keeps the way that it has.
/// </summary>
/// <param name="Text">The name; empty where the lake has no folders.</param>
/// <param name="MayShadow">An earlier version named the folders as it named columns: that the lake goes on is worth more.</param>
internal sealed record FolderName(string Text, bool MayShadow = false)
{
    /// <summary>Before the value of <c>datalake.partition_by</c>, where <c>datalake.folder_name</c> says nothing else.</summary>
    private const string Prefix = "by_";

    private const int FoldersLookedInto = 16;

    /// <summary>
    /// Stands for no value, of rows whose column is NULL or that have no day. Hive's own word for it is one that pandas cannot read beside
    /// others; the column in the file tells what is NULL.
    /// </summary>
    public string NoValue => MayShadow ? PathSegment.DefaultPartition : "null";

    /// <summary>Other names that folders of this lake have.</summary>
    public ImmutableArray<string> Others { get; private init; } = [];

    /// <summary>The one of a lake: as configured, else as it has it, else the one that no column has.</summary>
    /// <param name="lake">Its folders.</param>
    /// <param name="partitionBy"><c>datalake.partition_by</c>.</param>
    /// <param name="configured"><c>datalake.folder_name</c>.</param>
    public static FolderName Of(ILakeFiles lake, string partitionBy, string? configured)
    {
        var folders = lake.Folders("").Where(f => NameIn(f) is not null).ToLookup(f => NameIn(f)!);
        ImmutableArray<string> names = [.. folders.Select(f => f.Key)];
        var name = partitionBy == HivePartitioning.None ? new FolderName("")
            : configured is { Length: > 0 } ? new FolderName(configured, MayShadow: configured == partitionBy && Has(names, configured))
            : Has(names, Prefix + partitionBy) || !Has(names, partitionBy) ? new FolderName(Prefix + partitionBy)
            : new FolderName(partitionBy, MayShadow: true);
        return name with { Others = [.. names.Where(n => n != PathSegment.Encode(name.Text) && HoldOurs(lake, folders[n]))] };
    }

    /// <summary>What is known of it without the lake, of which an earlier version may have named the folders.</summary>
    /// <param name="partitionBy"><c>datalake.partition_by</c>.</param>
    /// <param name="configured"><c>datalake.folder_name</c>.</param>
    public static FolderName OfAny(string partitionBy, string? configured) =>
        partitionBy == HivePartitioning.None ? new("")
        : configured is { Length: > 0 } ? new(configured, MayShadow: configured == partitionBy)
        : new(Prefix + partitionBy, MayShadow: true);

    /// <summary>A column that readers do not see for these folders; null: there is none.</summary>
    public string? ShadowedIn(TableSchema schema) => schema.Columns.FirstOrDefault(c => ReaderNames.AreOne(c.Name, Text))?.Name;

    // Of another program's folders its files are told.
    private static bool HoldOurs(ILakeFiles lake, IEnumerable<string> folders) =>
        folders.Take(FoldersLookedInto).Any(f => lake.List(f).Any(file => LakePath.TryParse(file, out _)));

    private static bool Has(ImmutableArray<string> names, string name) => names.Contains(PathSegment.Encode(name));

    private static string? NameIn(string folder)
    {
        var name = LakeFilesReading.NameOf(folder);
        return name.IndexOf('=') is > 0 and var end && name[0] is not ('.' or '_') ? name[..end] : null;
    }
}
