using OrdersStream.Configuration;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Doctor;

/// <summary>
/// Whether rows of a table can be divided into folders as <c>datalake.partition_by</c> and <c>datalake.folder_name</c> say: storing would
/// stop at the first of them, when all are in the topic already.
/// </summary>
internal static class StorableFolders
{
    /// <summary>As storing sees it, which knows the lake.</summary>
    /// <exception cref="PipelineException">They cannot.</exception>
    public static void Check(DatalakeOptions options, Func<string, ILakeFiles> openFiles, TableSchema table) => HivePartitioning.For(
        table, options.PartitionBy, FolderName.Of(openFiles(options.Path), options.PartitionBy, options.FolderName));

    /// <summary>
    /// As capture sees it, which goes on while the lake is away, and may be where it never is: it is looked at only where nothing else
    /// tells whether its folders may have the name of a column.
    /// </summary>
    /// <exception cref="PipelineException">They cannot.</exception>
    public static void CheckToCapture(DatalakeOptions options, Func<string, ILakeFiles> openFiles, TableSchema table)
    {
        var name = FolderName.OfAny(options.PartitionBy, options.FolderName);
        HivePartitioning.For(table, options.PartitionBy, name);
        if (name.ShadowedIn(table) is not null) Check(options, openFiles, table);
    }
}
