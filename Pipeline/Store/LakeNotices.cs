using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using OrdersStream.Diagnostics;
using OrdersStream.Lake;
using OrdersStream.Lake.Files;
using OrdersStream.Rows;

namespace OrdersStream.Store;

/// <summary>
/// What readers of the lake will not expect of it, each said once by a process: a session that is opened anew after a failure has
/// nothing new to say.
/// </summary>
internal sealed class LakeNotices(ILogger logger)
{
    private readonly ConcurrentDictionary<string, bool> said = new();

    /// <summary>Looks at the lake as it is when a session opens.</summary>
    public void LookAt(ILakeFiles lake, FolderName folders)
    {
        if (folders.Others is [var other, ..] && IsNew(other)) logger.FoldersOfOtherNames(other);
        if (LakeReader.Files(lake).FirstOrDefault(f => !LakePath.TryParse(f, out _)) is not { } foreign) return;
        var path = LakePath.WithoutValues(lake.Locate(foreign), lake.Locate(""));
        if (IsNew(path)) logger.ForeignFiles(path);
    }

    /// <summary>Looks at a shape of the table.</summary>
    public void LookAt(TableSchema schema, FolderName folders)
    {
        if (folders.ShadowedIn(schema) is { } column && IsNew(column)) logger.ColumnShadowed(folders.Text, column);
    }

    private bool IsNew(string what) => said.TryAdd(what, true);
}
