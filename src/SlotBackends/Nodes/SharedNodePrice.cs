using FuncScaler.Nodes;

namespace FuncScaler.SlotBackends.Nodes;

/// <summary>A <see cref="NodeScorePrice"/> on a clock, for those who learn and those who ask at the same time.</summary>
public sealed class SharedNodePrice
{
    private readonly NodeScorePrice _price;
    private readonly TimeProvider _time;
    private readonly long _origin;
    private readonly Lock _gate = new();

    /// <param name="price">The price; used by this object alone from now on.</param>
    /// <param name="time">The clock.</param>
    public SharedNodePrice(NodeScorePrice price, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        _price = price;
        _time = time;
        _origin = time.GetTimestamp();
    }

    private long NowUs => (long)_time.GetElapsedTime(_origin).TotalMicroseconds;

    /// <inheritdoc cref="NodeScorePrice.Arrived"/>
    public void Arrived(FunctionMeta function)
    {
        lock (_gate)
        {
            _price.Arrived(NowUs, function);
        }
    }

    /// <inheritdoc cref="NodeScorePrice.Executed"/>
    public void Executed(MetaKey function, long durationUs)
    {
        lock (_gate)
        {
            _price.Executed(function, durationUs);
        }
    }

    /// <inheritdoc cref="NodeScorePrice.Created"/>
    public void Created(TimeSpan duration)
    {
        lock (_gate)
        {
            _price.Created((long)duration.TotalMicroseconds);
        }
    }

    /// <inheritdoc cref="NodeScorePrice.PriceGbs(MetaKey, long)"/>
    public double PriceGbs(MetaKey function)
    {
        lock (_gate)
        {
            return _price.PriceGbs(function, NowUs);
        }
    }

    /// <inheritdoc cref="NodeScorePrice.MeanPriceGbs"/>
    public double MeanPriceGbs()
    {
        lock (_gate)
        {
            return _price.MeanPriceGbs(NowUs);
        }
    }
}
