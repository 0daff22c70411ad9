# SPDX-License-Identifier: GPL-3.0-or-later
use Mojo::Base -strict, -signatures;
use Test::More;

use Koha::Plugin::Tillbridge::Register::Reference qw(base_of is_of is_reference like_of note_with word_in);

ok is_reference('tillbridge:01JD-x_y.z:refund:1'), 'a reference';
ok !is_reference($_), "'$_' is none" for '', 'a b', "a\n", 'å', 'a%', 'a' x 81;

is word_in('Paid by Anna, receipt 7 tillbridge:a1', 'tillbridge:a1'), 'tillbridge:a1',   'behind a text';
is word_in('tillbridge:a1:2',                       'tillbridge:a1'), 'tillbridge:a1:2', 'the second of several';
is word_in('Wrong tillbridge:a1:refund:1',          'tillbridge:a1'), undef,             "a refund's is another";
is word_in($_,                                      'tillbridge:a1'), undef, 'not in ' . ($_ // 'nothing')
    for 'tillbridge:a11', 'xtillbridge:a1', 'TILLBRIDGE:A1', 'tillbridge:a1:0', 'tillbridge:a1.', '', undef;
is word_in('a.c', 'abc'), undef, 'a point is a point';
ok is_of('a:1', 'a') && !is_of('a:x', 'a'), 'with a number behind it';
is base_of($_), 'tillbridge:a1', "$_ is of it" for 'tillbridge:a1', 'tillbridge:a1:1', 'tillbridge:a1:12';
is base_of($_), $_, "$_ is of itself" for 'tillbridge:a1:x', 'tillbridge:a1:1:y';
is like_of('a_b%'), 'a|_b|%', "LIKE's signs are escaped";

is note_with('Anna tillbridge:a1', 'tillbridge:a1', 'tillbridge:a1'), 'Anna tillbridge:a1', 'the note as it came';
is note_with('Anna tillbridge:a1', 'tillbridge:a1', 'tillbridge:a1:2'), 'Anna tillbridge:a1:2',
    "the second credit's own";
is note_with('Anna', 'tillbridge:a1', 'tillbridge:a1:2'), 'Anna tillbridge:a1:2', 'put at the end where it is missing';
is note_with('',     'a',             'a'),               'a',                    'of nothing';

done_testing;
