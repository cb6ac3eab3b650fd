using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FuncScaler.Samples.Gateway;

/// <summary>
/// Says which of several scalers a request goes to. A function's requests meet at one scaler, where its warm instances are, and move on
/// along a chain only when that scaler has too much to do.
/// </summary>
/// <remarks>
/// After CH-RLU (Fuerst and Sharma, HPDC 2022): consistent hashing with 3 virtual nodes a scaler and a chain of at most 4 scalers. CH-RLU
/// lets popular functions move on, by their mean gap between requests. Here a function is popular while it has half of what its home may
/// have under way, which needs no history. Any function moves on from a home with twice the bound.
/// </remarks>
internal sealed class ScalerRing : IDisposable
{
    private const int VirtualNodes = 3;
    private const int LongestChain = 4;

    /// <summary>A scaler may have this many times its equal share of the requests under way.</summary>
    private const double Bound = 1.25;

    /// <summary>A scaler that did not take a connection is the last choice for so long.</summary>
    private static readonly TimeSpan AvoidFor = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly Member[] _members;
    private readonly (ulong Hash, Member Member)[] _ring;
    private readonly Dictionary<(string Function, Member Member), int> _underWay = [];
    private int _total;

    /// <exception cref="InvalidDataException">The settings name no scaler, or something that is no address.</exception>
    public ScalerRing(GatewaySettings settings, TimeProvider time)
    {
        _time = time;
        _members = [.. settings.Scalers.Select(n => new Member(n, new ScalerClient(AddressOf(n), settings.Token)))];
        if (_members.Length == 0)
        {
            throw new InvalidDataException("--scaler is empty: write the address of a scaler, as http://127.0.0.1:8080, or several with commas between them.");
        }

        _ring = [.. _members.SelectMany(m => Enumerable.Range(0, VirtualNodes).Select(i => (Hash($"{m.Name} {i}"), m))).OrderBy(n => n.Item1)];
    }

    /// <summary>All scalers.</summary>
    public IEnumerable<ScalerClient> Scalers => _members.Select(m => m.Client);

    /// <summary>A request of a function begins; the route is disposed of when it has ended.</summary>
    public Route Enter(string function)
    {
        lock (_gate)
        {
            var chain = Chain(function);
            var most = Math.Ceiling(Bound * (_total + 1) / _members.Length);
            var member = chain[0];
            if (MayMove(function, member, most))
            {
                member = chain.Find(m => m.UnderWay < most) ?? member;
            }

            _total++;
            member.UnderWay++;
            _underWay[(function, member)] = _underWay.GetValueOrDefault((function, member)) + 1;
            return new Route(this, function, member);
        }
    }

    public void Dispose()
    {
        foreach (var member in _members)
        {
            member.Client.Dispose();
        }
    }

    private bool MayMove(string function, Member home, double most) =>
        home.UnderWay >= 2 * most || (home.UnderWay >= most && _underWay.GetValueOrDefault((function, home)) >= most / 2);

    /// <summary>The first scalers on the ring from the function's place on, each once; those that took no connection come last.</summary>
    private List<Member> Chain(string function)
    {
        var place = Hash(function);
        var first = Array.FindIndex(_ring, n => n.Hash >= place);
        var now = _time.GetTimestamp();
        return [.. Enumerable.Range(Math.Max(0, first), _ring.Length).Select(i => _ring[i % _ring.Length].Member).Distinct()
            .Take(LongestChain).OrderBy(m => m.AvoidedUntil > now)];
    }

    /// <summary>The same on every gateway, whatever process.</summary>
    private static ulong Hash(string text) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static Uri AddressOf(string name) => Uri.TryCreate(name, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
        ? uri
        : throw new InvalidDataException($"--scaler {name} is no address: write http://127.0.0.1:8080, or several with commas between them.");

    private void Leave(string function, Member member)
    {
        lock (_gate)
        {
            _total--;
            member.UnderWay--;
            if (--_underWay[(function, member)] == 0)
            {
                _underWay.Remove((function, member));
            }
        }
    }

    /// <summary>The scaler of one request.</summary>
    internal sealed class Route(ScalerRing ring, string function, Member member) : IDisposable
    {
        public ScalerClient Scaler => member.Client;

        /// <summary>It took no connection: other requests go elsewhere for a while.</summary>
        public void Unreachable()
        {
            lock (ring._gate)
            {
                member.AvoidedUntil = ring._time.GetTimestamp() + (long)(AvoidFor.TotalSeconds * ring._time.TimestampFrequency);
            }
        }

        public void Dispose() => ring.Leave(function, member);
    }

    internal sealed class Member(string name, ScalerClient client)
    {
        public string Name { get; } = name;

        public ScalerClient Client { get; } = client;

        /// <summary>Requests of this gateway at the scaler.</summary>
        public int UnderWay { get; set; }

        /// <summary>A timestamp.</summary>
        public long AvoidedUntil { get; set; } = long.MinValue;
    }
}
