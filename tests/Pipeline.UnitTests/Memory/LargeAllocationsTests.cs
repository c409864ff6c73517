using System.Runtime.InteropServices;
using OrdersStream.Memory;
using OrdersStream.UnitTests.Store;

namespace OrdersStream.UnitTests.Memory;

[Collection(nameof(HeldMemoryTests))]
public sealed unsafe class LargeAllocationsTests
{
    [Fact]
    public void what_the_c_library_keeps_between_blocks_in_use_is_given_back()
    {
        Assert.SkipUnless(
            OperatingSystem.IsLinux()
                && NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "gnu_get_libc_version", out _), "needs glibc");
        const int Blocks = 4_096, BlockBytes = 64 * 1024;
        var blocks = new nint[Blocks];
        for (var i = 0; i < Blocks; i++)
        {
            blocks[i] = (nint)NativeMemory.Alloc(BlockBytes);
            new Span<byte>((void*)blocks[i], BlockBytes).Fill(1);
        }
        try
        {
            var full = Environment.WorkingSet;
            for (var i = 0; i < Blocks; i += 2) Free(ref blocks[i]);

            LargeAllocations.Count(int.MaxValue);

            // Half of it was freed, every second block; a part of that may have gone elsewhere.
            Assert.InRange(Environment.WorkingSet, 0, full - (Blocks / 4 * BlockBytes));
        }
        finally
        {
            for (var i = 0; i < Blocks; i++) Free(ref blocks[i]);
        }
    }

    private static void Free(ref nint block)
    {
        NativeMemory.Free((void*)block);
        block = 0;
    }
}
