using OrdersStream.Benchmarks.Measuring;

namespace OrdersStream.Benchmarks.Load;

/// <summary>What one child process did in one run, and what it took.</summary>
/// <param name="What">Which one.</param>
/// <param name="Rows">Rows that it moved.</param>
/// <param name="Seconds">Of a limit the operation alone, of ours from the process's start.</param>
/// <param name="Cost">Of the whole process.</param>
/// <param name="OthersShare">The machine's share that went to processes that are no part of this.</param>
internal sealed record Measurement(string What, long Rows, double Seconds, ChildCost Cost, double OthersShare)
{
    /// <summary>Of a limit: the operation without the start of its process.</summary>
    public double? OperationCpuSeconds { get; init; }

    /// <summary>From the process's start to the first record that a reader of committed records could see.</summary>
    public double? FirstRecordSeconds { get; init; }

    /// <summary>From the process's start to the first visible file.</summary>
    public double? FirstFileSeconds { get; init; }

    /// <summary>Rows and bytes of each file of the lake.</summary>
    public IReadOnlyList<FileSize>? Files { get; init; }

    public double RowsPerSecond => Rows / Seconds;
    public double RowsPerCpuSecond => Rows / Cost.CpuSeconds;
    public double PeakRssMiB => Cost.PeakRssBytes / 1024.0 / 1024;
    public bool IsDisturbed => OthersShare > OtherProcesses.ShareMax;
}

/// <summary>Size of one file of a lake.</summary>
internal sealed record FileSize(long Rows, long Bytes);
