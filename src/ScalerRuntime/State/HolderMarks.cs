using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text;

namespace FuncScaler.Runtime.State;

/// <summary>
/// Says for each instance which request holds it now: a mark of 8 bytes in a file that is mapped into memory. Writing one costs no call of the
/// system, and it survives the process however that ends, since the pages are the system's. It says nothing after a power cut.
/// </summary>
/// <remarks>
/// The database lags behind by one batch. An instance that was idle in it may have been granted since, and must not be granted again. This file
/// closes that gap without a wait on the path of a warm assign.
/// </remarks>
internal sealed unsafe class HolderMarks : IDisposable
{
    /// <summary>Held by nobody.</summary>
    public const long Free = 0;

    /// <summary>Being destroyed, or gone; marks of requests are odd.</summary>
    public const long Ending = 2;

    private const int EntryBytes = 16;
    private const int HeaderBytes = 64;

    private readonly Stack<int> _free = new();
    private readonly FileStream _file;
    private readonly MemoryMappedFile _mapped;
    private readonly MemoryMappedViewAccessor _view;
    private readonly long* _entries;
    private readonly Pages _pages;
    private volatile bool _isClosed;
    private int _used;

    private HolderMarks(string path, string owner, int capacity)
    {
        Capacity = capacity;
        _file = new FileStream(path, FileMode.Create, FileAccess.ReadWrite, FileShare.Read, 1);
        try
        {
            // Written, not only made longer: a page for which the disk has no room would end the process when it is touched.
            var zeros = new byte[64 * 1024];
            for (var left = HeaderBytes + ((long)capacity * EntryBytes); left > 0; left -= zeros.Length)
            {
                _file.Write(zeros, 0, (int)Math.Min(zeros.Length, left));
            }

            _file.Position = 0;
            _file.Write(Header(owner));
            _file.Flush();
            _mapped = MemoryMappedFile.CreateFromFile(_file, null, 0, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
            _view = _mapped.CreateViewAccessor();
            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            _entries = (long*)(start + HeaderBytes);
            _pages = new Pages(_view.SafeMemoryMappedViewHandle);
        }
        catch
        {
            _view?.Dispose();
            _mapped?.Dispose();
            _file.Dispose();
            throw;
        }
    }

    /// <summary>How many instances have a place.</summary>
    public int Capacity { get; }

    /// <summary>Makes the file anew.</summary>
    /// <param name="path">The file.</param>
    /// <param name="owner">The run whose marks they are.</param>
    /// <param name="capacity">How many instances have a place.</param>
    /// <exception cref="IOException">The disk has no room.</exception>
    public static HolderMarks Create(string path, string owner, int capacity) => new(path, owner, capacity);

    /// <summary>The marks that a former process of the run has left, by ticket; null where there are none that can be believed.</summary>
    public static Dictionary<long, long>? Read(string path, string owner)
    {
        try
        {
            var bytes = File.ReadAllBytes(path);
            if (bytes.Length < HeaderBytes || !bytes.AsSpan(0, HeaderBytes).SequenceEqual(Header(owner)))
            {
                return null;
            }

            var marks = new Dictionary<long, long>();
            for (var at = HeaderBytes; at + EntryBytes <= bytes.Length; at += EntryBytes)
            {
                if (BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at)) is var ticket and not 0)
                {
                    marks[ticket] = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at + 8));
                }
            }

            return marks;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>A place for an instance that nobody holds; -1 where there is none left.</summary>
    public int Take(SlotTicket ticket)
    {
        var place = _isClosed ? -1 : _free.TryPop(out var former) ? former : _used < Capacity ? _used++ : -1;
        if (place >= 0)
        {
            _entries[(2 * place) + 1] = Free;
            Volatile.Write(ref _entries[2 * place], ticket.Value);
        }

        return place;
    }

    public void Set(int place, long mark)
    {
        if (!_isClosed)
        {
            Volatile.Write(ref _entries[(2 * place) + 1], mark);
        }

        GC.KeepAlive(_pages);
    }

    public void GiveBack(int place)
    {
        if (!_isClosed)
        {
            Volatile.Write(ref _entries[2 * place], 0);
        }

        GC.KeepAlive(_pages);
        _free.Push(place);
    }

    /// <summary>Closes the file. A core whose last timer is just firing may mark on, which does nothing.</summary>
    public void Dispose()
    {
        _isClosed = true;
        _view.Flush();
        _mapped.Dispose();
        _file.Dispose();
    }

    /// <summary>Keeps the pages mapped for as long as anybody may write to them: to write where nothing is mapped ends the process.</summary>
    private sealed class Pages(SafeBuffer view)
    {
        ~Pages() => view.ReleasePointer();
    }

    /// <summary>What begins the file: whose it is, and in which life of the machine it was written.</summary>
    private static byte[] Header(string owner)
    {
        const string BootId = "/proc/sys/kernel/random/boot_id";
        var boot = File.Exists(BootId) ? File.ReadAllText(BootId).Trim() : "";
        var header = new byte[HeaderBytes];
        Encoding.ASCII.GetBytes($"FnScM1 {owner} {boot}").AsSpan(0).CopyTo(header);
        return header;
    }
}
