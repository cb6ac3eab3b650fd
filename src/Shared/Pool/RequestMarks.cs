using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace FuncScaler.Pool;

/// <summary>Short marks of requests, by which one is known again whose id was not written down.</summary>
public static class RequestMarks
{
    /// <summary>Stands for a request of which not even the mark is known; those of requests are odd.</summary>
    public const long Unknown = 4;

    /// <summary>The mark of a request, never 0: two requests have the same one by a chance of 1 to 2⁶³.</summary>
    public static long Of(RequestId request) => (long)(XxHash3.HashToUInt64(MemoryMarshal.AsBytes(request.Value.AsSpan())) | 1);
}
